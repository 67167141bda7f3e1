import Glibc
import UnderstudyPlatform

/// The file to which pg_ctl sends what a started server says.
///
/// It does not belong into the data directory, whose contents go into every later backup: it is where the user wants it,
/// in Debian's log directory for a cluster of Debian, or beside the data directory. Only where the server's user can
/// write to none of them, it is in the data directory, under a name that is free in the copy.
struct StartLog: Sendable, Equatable {
    let path: String
    /// Where the start begins in the file, in bytes: what was there before is an earlier server's.
    private(set) var start: Int64 = 0
    /// Whether this run has made the file.
    private(set) var wasMade = false

    init(path: String) {
        self.path = path
    }

    /// - Parameters:
    ///   - directory: The data directory.
    ///   - configFile: The standby's configuration file, if it is not in the data directory.
    ///   - given: The user's choice.
    ///   - user: The user that the server runs as, with the group.
    ///   - isMade: Whether the file will be made here, where that user cannot.
    init(directory: String, configFile: String?, given: String?, user: FileOwner, isMade: Bool) {
        let places = [given, configFile.flatMap { DebianConfiguration(file: $0)?.log }].compactMap { $0 }
        path =
            places.first ?? Self.beside(directory, user, isMade) ?? Self.among(directory, user)
            ?? Self.inside(directory)
    }

    /// `DIRECTORY.start.log`, or the first of `DIRECTORY.start.1.log` and so on that is free or an earlier log.
    private static func beside(_ directory: String, _ user: FileOwner, _ isMade: Bool) -> String? {
        guard let parent = try? ConfinedDirectory(path: directory.parentPath),
            (isMade && geteuid() == 0) || mayWrite(parent, user)
        else { return nil }
        let name = directory.lastPathComponent
        for suffix in [".start.log"] + (1...99).map({ ".start.\($0).log" }) {
            let log = RelativePath(name + suffix)
            guard let info = try? parent.status(of: log) else { return parent.fullPath(log) }
            if info.st_mode & S_IFMT == S_IFREG, info.st_uid == user.user { return parent.fullPath(log) }
        }
        return nil
    }

    /// In Debian's directory of logs, if the user may write there.
    private static func among(_ directory: String, _ user: FileOwner) -> String? {
        guard let logs = try? ConfinedDirectory(path: DebianConfiguration.logs), mayWrite(logs, user) else {
            return nil
        }
        return logs.fullPath(RelativePath("\(directory.lastPathComponent).start.log"))
    }

    /// Whether the permission bits let a user make files.
    private static func mayWrite(_ directory: ConfinedDirectory, _ user: FileOwner) -> Bool {
        guard user.user != 0 else { return true }
        guard let info = try? directory.modeAndOwner() else { return false }
        return info.permissions(of: user) & 3 == 3
    }

    /// `start.log`, or the first of `start.1.log` and so on that is free: files from the primary stay as they are.
    private static func inside(_ directory: String) -> String {
        let files = try? ConfinedDirectory(path: directory)
        return "\(directory)/\(freeName { files?.exists($0) ?? false })"
    }

    static func freeName(_ isTaken: (RelativePath) -> Bool) -> RelativePath {
        var name: RelativePath = "start.log", number = 0
        while isTaken(name) {
            number += 1
            name = "start.\(number).log"
        }
        return name
    }

    private var name: RelativePath { RelativePath(path.lastPathComponent) }

    /// Makes the file if it is not there: the server's user may not be able to.
    mutating func prepare(_ user: FileOwner) throws(FileIOError) {
        let isForeign = user.user != geteuid()
        let parent = try ConfinedDirectory(path: path.parentPath, owner: isForeign ? user : nil)
        if let size = try? parent.sizeAndMode(of: name).size {
            start = size
        } else {
            _ = try parent.createFile(name, mode: 0o600)
            wasMade = true
        }
    }

    /// What was written since the start, as far as it can be read.
    func read(atMost limit: Int) -> String {
        guard let bytes = try? ConfinedDirectory(path: path.parentPath).read(name, from: start, atMost: limit) else {
            return ""
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Removes the file if this run has made it.
    func remove() {
        if wasMade { try? ConfinedDirectory(path: path.parentPath).remove(name) }
    }
}
