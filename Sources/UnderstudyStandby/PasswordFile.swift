import Glibc
import UnderstudyBackup
import UnderstudyFileIO

/// The password file that a standby will read, and how to take our line out of it again.
///
/// Source: PostgreSQL manual, "The Password File".
struct PasswordFile: Sendable {
    let path: String
    private let directory: ConfinedDirectory
    private let name: RelativePath
    private let owner: FileOwner?
    /// The size before we wrote; nil where the file was not there.
    private let sizeBefore: Int64?

    /// Looks whether the file can be written, and touches nothing.
    init(_ path: String, owner: FileOwner?) throws(BackupError) {
        self.path = absolutePath(path)
        self.owner = owner
        name = RelativePath(String(self.path.split(separator: "/").last ?? ""))
        do throws(FileIOError) {
            directory = try ConfinedDirectory(path: OwnedDirectory.parent(of: self.path), owner: owner)
            guard directory.exists(name) else {
                sizeBefore = nil
                return
            }
            let (size, mode) = try directory.sizeAndMode(of: name)
            guard mode & 0o077 == 0 else {
                throw FileIOError("others may read password file", self.path, number: EACCES)
            }
            sizeBefore = size
        } catch {
            throw BackupError(
                .configuration, error.description,
                hint:
                    "Name a file in a directory that exists; libpq reads it only with mode 0600: chmod 0600 \(self.path)."
            )
        }
    }

    /// Puts the lines behind what is there, on stable storage; lines that are there already are left out.
    func add(_ lines: [String]) throws(BackupError) {
        do throws(FileIOError) {
            if sizeBefore == nil {
                let file = try directory.createFile(name, mode: 0o600)
                try file.sync(path: path)
            }
            let text = String(decoding: try directory.read(name, atMost: 1 << 20), as: UTF8.self)
            let present = Set(text.split(separator: "\n").map(String.init))
            let missing = lines.filter { line in !present.contains(String(line.split(separator: "\n").first ?? "")) }
            let separator = text.isEmpty || text.hasSuffix("\n") ? "" : "\n"
            if !missing.isEmpty { try directory.append(Array((separator + missing.joined()).utf8), to: name) }
            try directory.sync()
        } catch { throw BackupError(error) }
    }

    /// Leaves the file as it was before.
    func restore() {
        // It is the way out of a failure: what cannot be undone here stays a line too many.
        if let sizeBefore {
            try? directory.openFile(name, flags: O_WRONLY).truncate(to: sizeBefore, path: path)
        } else {
            try? directory.remove(name)
        }
    }
}
