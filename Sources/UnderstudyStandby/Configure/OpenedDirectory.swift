import Glibc
import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// A data directory in which no server runs, and the files in it that hold recovery settings.
struct OpenedDirectory {
    let path: String
    let directory: ConfinedDirectory
    let version: ServerVersion
    /// The user of the server, if this process can give it files: nil if this process is not root.
    let owner: FileOwner?
    /// The permission bits of a new file.
    let fileMode: UInt16
    /// The configuration file outside of the data directory; nil if it is there.
    let configFile: String?
    private static let largest = 8 << 20

    init(_ path: String, configFile: String?) throws(UnderstudyError) {
        self.path = absolutePath(path)
        let place: ModeAndOwner
        do throws(FileIOError) {
            place = try ConfinedDirectory(path: self.path).modeAndOwner()
            owner = geteuid() == 0 ? place.owner : nil
            directory = try ConfinedDirectory(path: self.path, owner: owner)
        } catch {
            throw UnderstudyError(
                .target, error.description, hint: "Name the data directory of a server.", cause: error)
        }
        fileMode = place.mode & 0o040 == 0 ? 0o600 : 0o640
        version = try Self.version(directory)
        try Self.checkUnfinished(directory)
        try ServersHere(owner: owner).refuse(directory, owner: owner)
        if version.number >= 120_000, directory.exists("recovery.conf") {
            throw UnderstudyError(
                .configuration,
                "directory \"\(self.path)\" has a recovery.conf, with which version \(version.major) does not start",
                hint: "Remove it, once nothing in it is needed: rm \(ShellText.pasted("\(self.path)/recovery.conf"))")
        }
        self.configFile = try Self.configFile(configFile, self.path, version, directory)
    }

    private static func version(_ directory: ConfinedDirectory) throws(UnderstudyError) -> ServerVersion {
        guard let major = DataDirectory.major(directory), directory.exists("global/pg_control") else {
            throw UnderstudyError(
                .target, "directory \"\(directory.path)\" is no data directory",
                detail:
                    "It has no \(DataDirectory.major(directory) == nil ? "PG_VERSION" : "global/pg_control") that can be read.",
                hint: "Name the data directory of a server, in which these are.")
        }
        guard let version = ServerVersion(major: major), version >= .oldestSupported, version < .firstUnknown else {
            throw UnderstudyError(
                .target, "directory \"\(directory.path)\" is of version \(major), which is not known",
                detail:
                    "Known are \(ServerVersion.oldestSupported.major) to \(ServerVersion(number: ServerVersion.firstUnknown.number - 10_000).major). Settings of another version would keep a server from starting.",
                hint: "Write its settings by hand, as the manual of that version says.")
        }
        return version
    }

    private static func checkUnfinished(_ directory: ConfinedDirectory) throws(UnderstudyError) {
        guard directory.exists(UnfinishedMark.name) else { return }
        throw UnderstudyError(
            .target, "directory \"\(directory.path)\" holds what a backup or clone that did not end has left",
            hint: "Run that again first, to its end.")
    }

    /// - Parameter given: The file that the user named.
    private static func configFile(
        _ given: String?, _ path: String, _ version: ServerVersion, _ directory: ConfinedDirectory
    ) throws(UnderstudyError) -> String? {
        guard let given else { return DebianConfiguration.of(dataDirectory: path, version: version)?.file }
        do throws(FileIOError) {
            guard try bytesOfRegularFile(absolutePath(given), atMost: largest) != nil else {
                throw FileIOError("could not open file", given, number: ENOENT)
            }
        } catch {
            throw UnderstudyError(
                .configuration, error.description, remedy: "Name the postgresql.conf of this server: \(.configFile)",
                cause: error)
        }
        return absolutePath(given)
    }

    /// The path of one of the files that are changed.
    func path(of name: String) -> String {
        if name == StandbyConfiguration.FileName.mainConf, let configFile { return configFile }
        return "\(path)/\(name)"
    }

    /// The contents of those of these files that exist.
    func contents(_ names: [String]) throws(UnderstudyError) -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for name in names { contents[name] = try content(path(of: name)) }
        return contents
    }

    /// nil if there is no such file.
    func content(_ path: String) throws(UnderstudyError) -> [UInt8]? {
        let place = try self.place(of: path)
        do throws(FileIOError) {
            guard let kind = try place.directory.kindIfThere(place.name) else { return nil }
            if kind == .file { return try place.directory.read(place.name, atMost: Self.largest) }
        } catch { throw UnderstudyError(error) }
        throw UnderstudyError(
            .configuration, "\"\(path)\" is no regular file",
            detail: "A file is replaced by a new one, which a link would not survive.",
            hint: "Put the file itself there.")
    }

    /// The directory of a file, open, and the file's name there.
    func place(of path: String) throws(UnderstudyError) -> (directory: ConfinedDirectory, name: RelativePath) {
        let name = RelativePath(path.lastPathComponent)
        guard path.parentPath != self.path else { return (directory, name) }
        do throws(FileIOError) { return (try ConfinedDirectory(path: path.parentPath, owner: owner), name) } catch {
            throw UnderstudyError(error)
        }
    }
}
