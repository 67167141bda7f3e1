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
            let text = String(decoding: try directory.read(name, atMost: 1 << 20), as: UTF8.self)
            // libpq also strips a carriage return at the end of a line.
            let present = Set(text.lines.map { $0.last == "\r" ? String($0.dropLast()) : String($0) })
            let missing = lines.filter { line in !present.contains(String(line.lines.first ?? "")) }
            let separator = text.isEmpty || text.utf8.last == UInt8(ascii: "\n") ? "" : "\n"
            if !missing.isEmpty {
                let bytes = Array((separator + missing.joined()).utf8)
                written = Written(sizeBefore: sizeBefore, sizeAfter: (sizeBefore ?? 0) + Int64(bytes.count))
                try directory.append(bytes, to: name)
            }
            try directory.sync()
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
