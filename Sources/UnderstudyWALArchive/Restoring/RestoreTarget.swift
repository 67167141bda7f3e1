import Glibc
import UnderstudyPlatform
import UnderstudyStreaming

/// The place where a server wants a file: written under a hidden name, put on stable storage, and renamed.
struct RestoreTarget: Sendable {
    let directory: ConfinedDirectory
    let name: RelativePath
    /// The mode of the server's files.
    let mode: UInt16

    /// - Parameter path: As restore_command has it for `%p`: `pg_wal/RECOVERYXLOG`, relative to the data directory.
    init(_ path: String) throws(FileIOError) {
        directory = try ConfinedDirectory(path: path.parentPath)
        name = RelativePath(path.lastPathComponent)
        mode = try directory.modeAndOwner().mode & 0o040 == 0 ? 0o600 : 0o640
    }

    init(_ directory: ConfinedDirectory, _ name: RelativePath, mode: UInt16) {
        self.directory = directory
        self.name = name
        self.mode = mode
    }

    /// Makes the file of what `body` writes. If that throws, nothing is left.
    func put(
        _ body: (_ file: borrowing FileDescriptor, _ path: String) throws(WALDestinationError) -> Void
    ) throws(WALDestinationError) {
        let hidden = try writing { () throws(FileIOError) in try reserve(in: directory) }
        let path = directory.fullPath(hidden.name)
        do throws(WALDestinationError) {
            try body(hidden.file, path)
            try syncing { () throws(FileIOError) in try hidden.file.sync(path: path) }
            // The name need not survive a crash: after one, the server asks again.
            try writing { () throws(FileIOError) in try directory.rename(hidden.name, to: name) }
        } catch {
            try? directory.remove(hidden.name)
            throw error
        }
    }

    private struct Hidden: ~Copyable {
        let name: RelativePath
        let file: FileDescriptor
    }

    /// Servers in one directory restore one file at a time. More names are needed only while a killed server's last
    /// command goes on beside that of the next.
    private static let mostNames = 16

    /// Makes a file under a hidden name that only this process uses: it holds the file's lock. A file that nobody has
    /// locked is of a process that was killed, and goes.
    private func reserve(in directory: ConfinedDirectory) throws(FileIOError) -> Hidden {
        for number in 1...Self.mostNames {
            let name = RelativePath(".understudy-restore-\(number)")
            if directory.exists(name) { Self.removeAbandoned(name, in: directory) }
            let file: FileDescriptor
            do throws(FileIOError) { file = try directory.createFile(name, mode: mode) } catch
                where error.number == EEXIST
            {
                continue
            }
            // Before it was locked, another process could take it for abandoned.
            if FileLock.take(.exclusive, of: file.rawValue), try Self.isNamed(name, file, in: directory) {
                return Hidden(name: name, file: file)
            }
        }
        throw FileIOError("could not create file", directory.fullPath(".understudy-restore-1"), number: EEXIST)
    }

    private static func removeAbandoned(_ name: RelativePath, in directory: ConfinedDirectory) {
        guard let file = try? directory.openFile(name, flags: O_RDWR), FileLock.take(.exclusive, of: file.rawValue),
            (try? isNamed(name, file, in: directory)) == true
        else { return }
        try? directory.remove(name)
    }

    private static func isNamed(
        _ name: RelativePath, _ file: borrowing FileDescriptor, in directory: ConfinedDirectory
    ) throws(FileIOError) -> Bool {
        try directory.identity(of: name) == file.identity(path: directory.fullPath(name))
    }
}
