import Glibc
import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyPlatform

/// The password file of a standby, and how to remove the added lines again.
///
/// Source: PostgreSQL manual, "The Password File".
struct PasswordFile: Sendable {
    /// The file's size before and after lines were added.
    private struct Written {
        /// nil if the file did not exist.
        var sizeBefore: Int64?
        var sizeAfter: Int64
    }

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

    /// Appends the lines and puts them on stable storage; skips lines that are already there.
    mutating func add(_ lines: [String]) throws(UnderstudyError) {
        do throws(FileIOError) {
            let sizeBefore = directory.exists(name) ? try directory.sizeAndMode(of: name).size : nil
            if sizeBefore == nil {
                let file = try directory.createFile(name, mode: 0o600)
                written = Written(sizeBefore: nil, sizeAfter: 0)
                try file.sync(path: path)
            }
            let bytes = Self.addition(lines, to: try directory.read(name, atMost: 1 << 20))
            if !bytes.isEmpty {
                written = Written(sizeBefore: sizeBefore, sizeAfter: (sizeBefore ?? 0) + Int64(bytes.count))
                try directory.append(bytes, to: name)
            }
            try directory.sync()
        } catch { throw UnderstudyError(error) }
    }

    /// What adding lines appends to a file of these bytes; nothing if it has them all.
    private static func addition(_ lines: [String], to bytes: [UInt8]) -> [UInt8] {
        let text = String(decoding: bytes, as: UTF8.self)
        // libpq also strips a carriage return at the end of a line.
        let present = Set(text.lines.map { $0.last == "\r" ? String($0.dropLast()) : String($0) })
        let missing = lines.filter { line in !present.contains(String(line.lines.first ?? "")) }
        if missing.isEmpty { return [] }
        let separator = text.isEmpty || text.utf8.last == UInt8(ascii: "\n") ? "" : "\n"
        return Array((separator + missing.joined()).utf8)
    }

    /// The file before and after lines are added; nil if it has them all.
    func change(adding lines: [String]) throws(UnderstudyError) -> StandbyConfiguration.FileChange? {
        do throws(FileIOError) {
            let old = directory.exists(name) ? try directory.read(name, atMost: 1 << 20) : nil
            let addition = Self.addition(lines, to: old ?? [])
            return addition.isEmpty ? nil : .init(name: path, old: old, new: (old ?? []) + addition)
        } catch { throw UnderstudyError(error) }
    }

    /// Removes the added lines, unless the file has changed since.
    func restore() {
        guard let written, let size = try? directory.sizeAndMode(of: name).size, size == written.sizeAfter else {
            return
        }
        // Best effort after a failure: at worst, superfluous lines stay.
        if let sizeBefore = written.sizeBefore {
            try? directory.openFile(name, flags: O_WRONLY).truncate(to: sizeBefore, path: path)
        } else {
            try? directory.remove(name)
        }
    }
}
