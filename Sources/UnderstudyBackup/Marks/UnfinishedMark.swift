import Glibc
import Synchronization
package import UnderstudyPlatform

/// The file in a directory that is being filled. It stands there from before the first byte until everything is
/// complete and on stable storage, so a run that is killed leaves it behind.
///
/// It belongs to the user that runs this, whomever the other files are given to: nobody else can make one. It is locked
/// (flock(2)) as long as its process runs, whatever number that has, so one that was left behind is told from one that
/// is in use.
package final class UnfinishedMark: Sendable {
    /// Names that begin with `pgsql_tmp` are left out of a base backup by every server: should one be started on an
    /// unfinished directory, copies of it would not be marked.
    package static let name: RelativePath = "pgsql_tmp.understudy"

    private let directory: ConfinedDirectory
    private let file: FileDescriptor
    private let size: Atomic<Int64>
    private let syncs: Bool

    /// Marks a directory that is empty. Nothing of it is on stable storage yet: see ``set(_:)``.
    init(in directory: ConfinedDirectory, _ record: UnfinishedRecord, syncs: Bool) throws(FileIOError) {
        let path = directory.fullPath(Self.name)
        file = try directory.createOwnFile(Self.name, mode: 0o600)
        self.directory = directory
        self.syncs = syncs
        size = Atomic(0)
        do throws(FileIOError) {
            if !file.lock() { throw FileIOError("could not lock file", path, number: EWOULDBLOCK) }
            // Who took it for one that was left behind has removed it.
            guard directory.exists(Self.name) else { throw FileIOError("could not lock file", path, number: ENOENT) }
            try write(record.text, syncs: false)
        } catch {
            try? directory.remove(Self.name)
            throw error
        }
    }

    deinit {
        // What it marks is abandoned now, whoever has its descriptor still.
        FileLock.giveBack(file.rawValue)
    }

    /// Marks a directory that is not empty: the mark appears with all its text, where the file system can do that.
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

    private init(_ file: consuming FileDescriptor, in directory: ConfinedDirectory, size: Int64, syncs: Bool) {
        self.file = file
        self.directory = directory
        self.syncs = syncs
        self.size = Atomic(size)
    }

    /// Opens a mark that the user who runs this has made before.
    init(reopening directory: ConfinedDirectory, syncs: Bool) throws(FileIOError) {
        let path = directory.fullPath(Self.name)
        var info = try directory.status(of: Self.name)
        let file = try directory.openFile(Self.name, flags: O_WRONLY | O_NONBLOCK)
        // Whoever has the directory may have put another file in its place. fstat fills the struct.
        guard unsafe fstat(file.rawValue, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_nlink == 1,
            info.st_uid == geteuid()
        else { throw FileIOError("could not rely on file", path, number: EPERM) }
        self.file = file
        self.directory = directory
        self.syncs = syncs
        size = Atomic(Int64(info.st_size))
    }

    /// Notes a directory before the run touches it.
    package func addOther(_ path: String) throws(FileIOError) {
        try write(UnfinishedRecord.otherLine(absolutePath(path)), syncs: syncs)
    }

    /// Notes a slot that the run has made.
    package func add(_ slot: UnfinishedRecord.Slot) throws(FileIOError) {
        try write(UnfinishedRecord.slotLine(slot), syncs: syncs)
    }

    /// Notes how far the run is. With syncs, that and all that was noted before is on stable storage afterwards.
    package func set(_ stage: UnfinishedRecord.Stage) throws(FileIOError) {
        try write(UnfinishedRecord.stageLine(stage), syncs: syncs)
    }

    private func write(_ text: String, syncs: Bool) throws(FileIOError) {
        let path = directory.fullPath(Self.name)
        let bytes = Array(text.utf8)
        let offset = size.add(Int64(bytes.count), ordering: .relaxed).oldValue
        do throws(FileIOError) { try unsafe file.write(bytes.span.bytes, at: offset, path: path) } catch {
            // Half a line must not come before a whole one.
            size.store(offset, ordering: .relaxed)
            try? file.truncate(to: offset, path: path)
            throw error
        }
        if syncs { try file.syncData(path: path) }
    }

    /// Takes the mark away.
    package func remove() throws(FileIOError) {
        try directory.remove(Self.name)
    }
}

extension FileDescriptor {
    /// Locks the file for this open file alone: see ``FileLock``.
    func lock() -> Bool {
        FileLock.take(.exclusive, of: rawValue, patience: FileLock.patience)
    }
}
