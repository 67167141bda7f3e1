import Glibc
import Synchronization

/// The file in a directory that is being filled. It stands there from before the first byte until everything is
/// complete and on stable storage, so a run that is killed leaves it behind.
///
/// The file is locked (flock(2)) as long as its process runs, whatever number that has, so one that was left behind is
/// told from one that is in use.
package final class UnfinishedMark: Sendable {
    /// Names that begin with `pgsql_tmp` are left out of a base backup by every server: should one be started on an
    /// unfinished directory, copies of it would not be marked.
    package static let name: RelativePath = "pgsql_tmp.understudy"

    private let directory: ConfinedDirectory
    private let file: FileDescriptor
    private let size: Atomic<Int64>
    private let syncs: Bool

    /// Marks a directory that is empty.
    init(in directory: ConfinedDirectory, _ record: UnfinishedRecord, syncs: Bool) throws(FileIOError) {
        let path = directory.fullPath(Self.name)
        file = try directory.createFile(Self.name, mode: 0o600)
        self.directory = directory
        self.syncs = syncs
        size = Atomic(0)
        do throws(FileIOError) {
            // Somebody may look at it at this moment.
            guard FileLock.take(.exclusive, of: file.rawValue, patience: FileLock.patience) else {
                throw FileIOError("could not lock file", path, number: EWOULDBLOCK)
            }
            // Who took it for one that was left behind has removed it.
            guard directory.exists(Self.name) else { throw FileIOError("could not lock file", path, number: ENOENT) }
            try append(record.text)
            if syncs { try directory.sync() }
        } catch {
            try? directory.remove(Self.name)
            throw error
        }
    }

    deinit {
        // What it marks is abandoned now, whoever has its descriptor still.
        FileLock.giveBack(file.rawValue)
    }

    /// Notes a directory before the run touches it.
    package func addOther(_ path: String) throws(FileIOError) {
        try append(UnfinishedRecord.otherLine(path))
    }

    /// Notes a slot that the run has made.
    package func add(_ slot: UnfinishedRecord.Slot) throws(FileIOError) {
        try append(UnfinishedRecord.slotLine(slot))
    }

    private func append(_ text: String) throws(FileIOError) {
        let path = directory.fullPath(Self.name)
        let bytes = Array(text.utf8)
        let offset = size.add(Int64(bytes.count), ordering: .relaxed).oldValue
        try unsafe file.write(bytes.span.bytes, at: offset, path: path)
        if syncs { try file.syncData(path: path) }
    }

    /// The directory is finished: whatever is in it is complete, and on stable storage if that was wanted.
    package func remove() throws(FileIOError) {
        try directory.remove(Self.name)
    }
}

/// A directory that a run has left unfinished, or is still filling.
package struct UnfinishedDirectory: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        /// Its process is gone: what lies in it is of no use.
        case abandoned
        /// A process is filling it now.
        case inUse
        /// A server has been started in it since: what it holds may be precious.
        case served
    }

    package let path: String
    package let record: UnfinishedRecord
    package let state: State

    /// What the mark in a directory says; nil where there is none that can be read.
    package static func find(_ path: String) -> UnfinishedDirectory? {
        guard let directory = try? ConfinedDirectory(path: path),
            let file = try? directory.openFile(UnfinishedMark.name, flags: O_RDONLY),
            let bytes = try? directory.read(UnfinishedMark.name, atMost: 1 << 20)
        else { return nil }
        let isLocked = !FileLock.take(.look, of: file.rawValue)
        if !isLocked { FileLock.giveBack(file.rawValue) }
        // A server writes both at its start, and no base backup holds either.
        let wasServed = directory.exists("postmaster.opts") || directory.exists("postmaster.pid")
        return UnfinishedDirectory(
            path: path, record: UnfinishedRecord(reading: String(decoding: bytes, as: UTF8.self)),
            state: isLocked ? .inUse : wasServed ? .served : .abandoned)
    }

    /// Further directories of the same run that are there and abandoned too.
    package var others: [UnfinishedDirectory] {
        record.others.compactMap(Self.find).filter { $0.record.run == record.run && $0.state == .abandoned }
    }

    /// Leaves everything that the run has touched as it was before, this directory and the others.
    ///
    /// Only where the mark of that run still stands is anything removed.
    package func remove() throws(FileIOError) {
        for other in others.reversed() { try other.removeAlone() }
        try removeAlone()
    }

    private func removeAlone() throws(FileIOError) {
        let directory = try ConfinedDirectory(path: path)
        // Locked while it is removed, so that nobody else begins to do the same.
        let mark = try directory.openFile(UnfinishedMark.name, flags: O_RDONLY)
        guard FileLock.take(.exclusive, of: mark.rawValue, patience: FileLock.patience) else {
            throw FileIOError("could not lock file", directory.fullPath(UnfinishedMark.name), number: EWOULDBLOCK)
        }
        defer { FileLock.giveBack(mark.rawValue) }
        try OwnedDirectory(directory, left: record).restore()
    }
}
