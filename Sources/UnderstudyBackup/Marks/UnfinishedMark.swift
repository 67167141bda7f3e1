import Glibc
import Synchronization
package import UnderstudyPlatform

/// The file that marks a directory as being filled. It exists from before the first byte until everything is complete
/// and on stable storage, so a killed run leaves it behind.
///
/// It belongs to the user of the process, whoever owns the other files: no other user can make one. It is locked
/// (flock(2)) as long as its process runs, so a mark left behind can be told from one in use without relying on process
/// IDs.
package final class UnfinishedMark: Sendable {
    /// Every server leaves names that begin with `pgsql_tmp` out of a base backup: if a server is started in an
    /// unfinished directory, copies of it are not marked.
    package static let name: RelativePath = "pgsql_tmp.understudy"

    private let directory: ConfinedDirectory
    private let file: FileDescriptor
    private let size: Atomic<Int64>
    private let syncs: Bool

    /// Marks an empty directory. The mark is not yet on stable storage: see ``set(_:)``.
    init(in directory: ConfinedDirectory, _ record: UnfinishedRecord, syncs: Bool) throws(FileIOError) {
        let path = directory.fullPath(Self.name)
        file = try directory.createOwnFile(Self.name, mode: 0o600)
        self.directory = directory
        self.syncs = syncs
        size = Atomic(0)
        do throws(FileIOError) {
            if !file.lock() { throw FileIOError("could not lock file", path, number: EWOULDBLOCK) }
            // A run that took the mark for one left behind may have removed it.
            guard directory.exists(Self.name) else { throw FileIOError("could not lock file", path, number: ENOENT) }
            try write(record.text, syncs: false)
        } catch {
            try? directory.remove(Self.name)
            throw error
        }
    }

    deinit {
        // The mark is left behind from here on, even if a child process still has its descriptor.
        FileLock.release(file.rawValue)
    }

    /// Marks a directory that is not empty: the mark appears with its whole text, if the file system supports that.
    convenience init(inFilled directory: ConfinedDirectory, _ record: UnfinishedRecord, syncs: Bool) throws(FileIOError)
    {
        guard let file = try directory.createNamelessFile(mode: 0o600) else {
            try self.init(in: directory, record, syncs: syncs)
            return
        }
        let path = directory.fullPath(Self.name), bytes = Array(record.text.utf8)
        _ = file.lock()
        try unsafe file.write(bytes.span.bytes, at: 0, path: path)
        try directory.name(file, Self.name)
        self.init(file, in: directory, size: Int64(bytes.count), syncs: syncs)
    }

    /// Marks a directory that is not empty, in place of the mark that an earlier run has left, if one has: the new one
    /// appears with its whole text, and is on stable storage.
    ///
    /// - Parameter old: Locked by its user until this returns.
    init(inPlaceOf old: FoundMark?, in directory: ConfinedDirectory, _ record: UnfinishedRecord) throws(FileIOError) {
        let path = directory.fullPath(Self.name), bytes = Array(record.text.utf8)
        let temporary = RelativePath("\(Self.name).\(UnfinishedRecord.ofNewRun().run)")
        let new = try directory.createOwnFile(temporary, mode: 0o600)
        do throws(FileIOError) {
            if !new.lock() { throw FileIOError("could not lock file", path, number: EWOULDBLOCK) }
            try unsafe new.write(bytes.span.bytes, at: 0, path: path)
            try new.sync(path: path)
            if let old {
                // Another run may have put its own there, and let this one go.
                guard old.isInPlace else { throw FileIOError("could not lock file", path, number: EWOULDBLOCK) }
                try directory.rename(temporary, to: Self.name)
            } else if try !directory.renameIfFree(temporary, to: Self.name) {
                throw FileIOError("could not create file", path, number: EEXIST)
            }
        } catch {
            try? directory.remove(temporary)
            throw error
        }
        file = new
        self.directory = directory
        syncs = true
        size = Atomic(Int64(bytes.count))
        try directory.sync()
    }

    private init(_ file: consuming FileDescriptor, in directory: ConfinedDirectory, size: Int64, syncs: Bool) {
        self.file = file
        self.directory = directory
        self.syncs = syncs
        self.size = Atomic(size)
    }

    /// Opens a mark that the user of this process made earlier.
    init(reopening directory: ConfinedDirectory, syncs: Bool) throws(FileIOError) {
        let path = directory.fullPath(Self.name)
        var info = try directory.status(of: Self.name)
        let file = try directory.openFile(Self.name, flags: O_WRONLY | O_NONBLOCK)
        // Another user of the directory may have put another file in its place. fstat fills the struct.
        guard unsafe fstat(file.rawValue, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_nlink == 1,
            info.st_uid == geteuid()
        else { throw FileIOError("could not rely on file", path, number: EPERM) }
        self.file = file
        self.directory = directory
        self.syncs = syncs
        size = Atomic(Int64(info.st_size))
    }

    /// Records a directory before the run touches it.
    package func addOther(_ path: String) throws(FileIOError) {
        try write(UnfinishedRecord.otherLine(absolutePath(path)), syncs: syncs)
    }

    /// Records a slot that the run created.
    package func add(_ slot: UnfinishedRecord.Slot) throws(FileIOError) {
        try write(UnfinishedRecord.slotLine(slot), syncs: syncs)
    }

    /// Records that the run has ended, and keeps what had come.
    package func keep() throws(FileIOError) {
        try write(UnfinishedRecord.keptLine(UTCTime.now.text), syncs: syncs)
    }

    /// Records the run's stage. With syncs, this and all earlier records are on stable storage afterwards.
    package func set(_ stage: UnfinishedRecord.Stage) throws(FileIOError) {
        try write(UnfinishedRecord.stageLine(stage), syncs: syncs)
    }

    private func write(_ text: String, syncs: Bool) throws(FileIOError) {
        let path = directory.fullPath(Self.name)
        let bytes = Array(text.utf8)
        let offset = size.add(Int64(bytes.count), ordering: .relaxed).oldValue
        do throws(FileIOError) { try unsafe file.write(bytes.span.bytes, at: offset, path: path) } catch {
            // A partial line must not precede a whole one.
            size.store(offset, ordering: .relaxed)
            try? file.truncate(to: offset, path: path)
            throw error
        }
        if syncs { try file.syncData(path: path) }
    }

    /// Removes the mark.
    package func remove() throws(FileIOError) {
        try directory.remove(Self.name)
    }
}

extension FileDescriptor {
    /// Locks the file for this open file only: see ``FileLock``.
    func lock() -> Bool {
        FileLock.take(.exclusive, of: rawValue, waitLimit: FileLock.waitLimit)
    }
}
