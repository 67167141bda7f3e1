import Glibc
import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyPlatform

/// The password file of a standby, and how to take the added lines back.
///
/// Source: PostgreSQL manual, "The Password File".
struct PasswordFile: Sendable {
    /// The file's bytes before and after lines were added.
    private struct Written {
        /// nil if the file did not exist.
        var before: [UInt8]?
        var after: [UInt8]
    }

    private static let largest = 1 << 20

    let path: String
    private let directory: ConfinedDirectory
    private let name: RelativePath
    /// nil while nothing has been written.
    private var written: Written?

    /// Checks whether the file can be written, and touches nothing.
    init(_ path: String, owner: FileOwner?) throws(UnderstudyError) {
        self.path = absolutePath(path)
        name = RelativePath(self.path.lastPathComponent)
        do throws(FileIOError) {
            directory = try ConfinedDirectory(path: self.path.parentPath, owner: owner)
            guard directory.exists(name) else { return }
            _ = try directory.openFile(name, flags: O_RDWR)
        } catch {
            throw UnderstudyError(
                .configuration, error.description,
                hint: "Name a file, not a symbolic link to one, in a directory that exists and may be written to.",
                cause: error)
        }
        try checkMode()
    }

    /// Refuses a file in a directory that the standby's user cannot enter.
    static func checkReach(_ path: String, owner: FileOwner?) throws(UnderstudyError) {
        guard let owner, owner.user != geteuid(), owner.user != 0 else { return }
        var place = absolutePath(path).parentPath
        while place != "/" {
            guard let directory = try? ConfinedDirectory(path: place), let info = try? directory.modeAndOwner() else {
                break
            }
            // An access list may allow more than the bits.
            guard info.permissions(of: owner) & 1 != 0 || owner.mayRead(place) else {
                throw UnderstudyError(
                    .configuration,
                    "user \"\(userName(owner.user) ?? "\(owner.user)")\" may not enter directory \"\(place)\", so the standby could not read its password file",
                    hint: "Name a file in a directory of that user.")
            }
            place = place.parentPath
        }
    }

    private func checkMode() throws(UnderstudyError) {
        do throws(FileIOError) {
            guard try directory.sizeAndMode(of: name).mode & 0o077 != 0 else { return }
        } catch { throw UnderstudyError(error) }
        throw UnderstudyError(
            .configuration, "password file \"\(path)\" can be used by others",
            hint: "libpq ignores such a file; take that right away: chmod 0600 \(ShellText.pasted(path))")
    }

    /// Puts the lines where libpq finds them, on stable storage; skips lines that are already there.
    mutating func add(_ lines: [String]) throws(UnderstudyError) {
        do throws(FileIOError) {
            let isThere = directory.exists(name)
            if !isThere {
                let file = try directory.createFile(name, mode: 0o600)
                written = Written(before: nil, after: [])
                try file.sync(path: path)
            }
            let before = try content()
            let after = Passfile.adding(lines, to: before)
            if after != before {
                written = Written(before: isThere ? before : nil, after: after)
                if after.starts(with: before) {
                    try directory.append(Array(after[before.count...]), to: name)
                } else {
                    try replace(by: after)
                }
            }
            try directory.sync()
        } catch { throw UnderstudyError(error) }
    }

    /// All of the file: what is not read would be lost.
    private func content() throws(FileIOError) -> [UInt8] {
        let bytes = try directory.read(name, atMost: Self.largest)
        guard bytes.count < Self.largest else { throw FileIOError("could not read file", path, number: EFBIG) }
        return bytes
    }

    private func replace(by bytes: [UInt8]) throws(FileIOError) {
        try directory.replaceDurably(
            name, by: bytes, temporary: RelativePath("\(path.lastPathComponent).understudy.tmp"), mode: 0o600)
    }

    /// The file before and after lines are added; nil if it has them all.
    func change(adding lines: [String]) throws(UnderstudyError) -> StandbyConfiguration.FileChange? {
        do throws(FileIOError) {
            let old = directory.exists(name) ? try content() : nil
            let new = Passfile.adding(lines, to: old ?? [])
            return new == old ?? [] ? nil : .init(name: path, old: old, new: new)
        } catch { throw UnderstudyError(error) }
    }

    /// Takes the lines back, unless the file has changed since.
    func restore() {
        guard let written, let now = try? content() else { return }
        // What was to be added may have come in part.
        let isPart = now.starts(with: written.before ?? []) && written.after.starts(with: now)
        guard now == written.after || isPart else { return }
        // Best effort after a failure: at worst, superfluous lines stay.
        guard let before = written.before else {
            try? directory.remove(name)
            return
        }
        if now.starts(with: before) {
            try? directory.openFile(name, flags: O_WRONLY).truncate(to: Int64(before.count), path: path)
        } else {
            try? replace(by: before)
        }
    }
}
