import Glibc
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// A segment file without compression: it has its full size from the moment it has its name, zeros behind the last byte.
///
/// Whole blocks are written past the page cache, the rest through it.
final class PlainSegment: SegmentOutput, @unchecked Sendable {
    // Sendable: the thread that writes it hands it over to the one that finishes it, and does not touch it again.
    let segment: WALSegment
    private(set) var written = 0
    var inFile: Int { written }
    let identity: FileIdentity
    var fileSize: Int64 { Int64(segment.size) }

    private let directory: ConfinedDirectory
    private let partial: RelativePath
    /// Its name now: ``partial``, or a hidden one until ``takeName()``.
    private var name: RelativePath
    private var path: String { directory.fullPath(name) }
    /// nil once it is closed.
    private var file: FileDescriptor?
    /// For whole blocks; nil where the file system refuses.
    private var direct: FileDescriptor?
    private var needsSync = false
    /// Whether the name is to be checked with the next sync, whatever else there is to do.
    private var needsCheck = false
    /// Writes small pieces and syncs them at once; nil before the first of them, and where that cannot be done.
    private var tail: SyncedTail?
    private var hasTail = false
    /// Before it the file consists of written blocks, so that a sync has nothing to record but data.
    private var zeroed: Int
    /// So much of it is in a partial file of an older timeline, which counts until this one holds as much.
    private let heldElsewhere: Int

    /// So much is zeroed at once ahead of a stream that comes in small pieces.
    private static let zeroStep = 16 << 20

    /// Begins the file anew, or goes on with one that is there: its content is of the same WAL, so each byte is written over
    /// by its like and nothing that is held is ever gone.
    ///
    /// - Parameters:
    ///   - prepared: A file of full size, on stable storage, that it may be; nil to make one.
    ///   - heldElsewhere: It does not show its name before it holds so much.
    init(
        _ segment: WALSegment, in directory: ConfinedDirectory, mode: UInt16, prepared: RelativePath?,
        heldElsewhere: Int = 0
    ) throws(FileIOError) {
        self.heldElsewhere = heldElsewhere
        partial = RelativePath(segment.name + ArchivedSegment.partialSuffix)
        var name = partial
        var zeroed = 0
        // Behind what is written of a file that was there may be more, which is held.
        var isNew = true
        var size: Int64?
        if directory.exists(name) { size = try directory.sizeAndMode(of: name).size }
        if size ?? 0 > Int64(segment.size) {
            _ = try directory.setAside(name, mode: mode)
            size = nil
        }
        if let size {
            isNew = false
            if size < Int64(segment.size) {
                // Left by a program that ran out of room: stock tools refuse it. What it holds must not be zeroed.
                zeroed = Int(size)
                let short = try directory.openFile(name, flags: O_RDWR)
                try Self.extend(short, from: size, to: segment.size, path: directory.fullPath(name))
            } else {
                zeroed = segment.size
            }
        } else if let prepared {
            name = prepared
            zeroed = segment.size
        } else {
            name = Self.newName
            try Self.make(name, size: segment.size, in: directory, mode: mode)
        }
        self.name = name
        self.zeroed = zeroed
        self.segment = segment
        self.directory = directory
        let path = directory.fullPath(name)
        let opened = try directory.openFile(name, flags: O_RDWR)
        identity = try opened.identity(path: path)
        direct = try directory.openDirect(name)
        file = consume opened
        if direct != nil { hasTail = isNew }
    }

    /// Shows itself under the name of a partial segment; the one before must be finished by then, because stock tools go on
    /// with the newest.
    func takeName() throws(WALDestinationError) {
        guard name != partial, !isHeldBack else { return }
        if heldElsewhere > 0 { try sync() }
        guard try writing({ () throws(FileIOError) in try directory.renameIfFree(name, to: partial) }) else {
            throw inTheWay(directory.fullPath(partial))
        }
        name = partial
    }

    var isHeldBack: Bool { name != partial && written < heldElsewhere }

    /// A new file, until it has its full size.
    static let newName: RelativePath = ".understudy-new"

    private static func make(
        _ name: RelativePath, size: Int, in directory: ConfinedDirectory, mode: UInt16
    ) throws(FileIOError) {
        if directory.exists(name) { try directory.remove(name) }
        let file = try directory.createFile(name, mode: mode)
        do throws(FileIOError) {
            try extend(file, from: 0, to: size, path: directory.fullPath(name))
        } catch {
            // What it holds is room that somebody may need to mend things.
            try? directory.remove(name)
            throw error
        }
    }

    private static func extend(
        _ file: borrowing FileDescriptor, from start: Int64, to size: Int, path: String
    ) throws(FileIOError) {
        if try !file.preallocate(UInt64(size), path: path) {
            try file.fillWithZeros(start..<Int64(size), path: path)
        }
    }

    func write(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError) {
        try checkSize(beforeWritingUpTo: offset + bytes.byteCount)
        try writing { () throws(FileIOError) in
            if direct != nil, offset % Block.alignment == 0, bytes.isAligned {
                try direct!.write(bytes, at: Int64(offset), path: path)
            } else {
                try file!.write(bytes, at: Int64(offset), path: path)
            }
        }
        written = offset + bytes.byteCount
        needsSync = true
    }

    /// As ``write(_:at:)``; what is left for ``sync()`` is the name, where that can be.
    func writeToSync(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError) {
        guard try writeThrough(bytes, at: offset) else { return try write(bytes, at: offset) }
        written = offset + bytes.byteCount
        needsCheck = true
    }

    /// - Returns: Whether the bytes are on stable storage.
    private func writeThrough(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError) -> Bool {
        let end = offset + bytes.byteCount
        // Before the first sync the file's own space may not be there yet, and nothing but zeros may follow.
        guard hasTail, !needsSync, offset == written, end <= zeroed, bytes.byteCount <= SyncedTail.limit else {
            return false
        }
        try checkSize(beforeWritingUpTo: end)
        // Where there is no memory for it, there is the other way.
        if tail == nil { tail = try? SyncedTail() }
        guard tail != nil else {
            hasTail = false
            return false
        }
        let isSynced = try syncing { () throws(FileIOError) in
            try tail!.write(bytes, at: Int64(offset), to: direct!, of: file!, path: path)
        }
        if !isSynced { hasTail = false }
        return isSynced
    }

    func sync() throws(WALDestinationError) {
        guard needsSync || needsCheck else { return }
        if needsSync { try syncing { () throws(FileIOError) in try file!.syncData(path: path) } }
        needsSync = false
        needsCheck = true
        try checkName()
        needsCheck = false
    }

    /// Before its last block is written, a file that was cut short has not got its size again.
    private func checkSize(beforeWritingUpTo end: Int) throws(WALDestinationError) {
        if end > segment.size - Block.alignment { try checkSize(name, directory) }
    }

    func handOver() {}

    func checkName() throws(WALDestinationError) { try check(name, directory) }

    /// Zeros what follows, because the stream comes in small pieces now: each sync is cheaper then.
    func zeroAhead() throws(WALDestinationError) {
        guard zeroed < segment.size, written >= zeroed - Self.zeroStep / 4 else { return }
        let start = max(zeroed, written), end = min(segment.size, start + Self.zeroStep)
        try checkSize(beforeWritingUpTo: end)
        // Room that was allocated does not run out, and where it was not, the next write will tell.
        try writing { () throws(FileIOError) in
            try file!.fillWithZeros(Int64(start)..<Int64(end), path: path)
        }
        zeroed = end
        needsSync = true
    }

    func complete(sync: Bool) throws(WALDestinationError) {
        if sync { try self.sync() }
        try close()
    }

    func close() throws(WALDestinationError) {
        // What is written late, on a network file system, tells now if it fails.
        try syncing { () throws(FileIOError) in
            try direct.take()?.close(path: path)
            try file.take()?.close(path: path)
            if isHeldBack { try directory.remove(name) }
        }
    }
}

extension RawSpan {
    /// Whether its memory and length suit a write with O_DIRECT.
    fileprivate var isAligned: Bool {
        guard byteCount > 0, byteCount % Block.alignment == 0 else { return false }
        // Only the address is looked at.
        return unsafe withUnsafeBytes { UInt(bitPattern: $0.baseAddress!) % UInt(Block.alignment) == 0 }
    }
}
