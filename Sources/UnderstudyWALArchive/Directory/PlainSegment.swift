import Glibc
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// An uncompressed segment file. It has its full size as soon as it has its name, with zeros after the last byte.
///
/// Whole blocks are written past the page cache, the rest through it.
final class PlainSegment: SegmentOutput, @unchecked Sendable {
    // Sendable: the thread that writes it passes it to the one that finishes it, and does not touch it again.
    let segment: WALSegment
    private(set) var written = 0
    var inFile: Int { written }
    let identity: FileIdentity
    var fileSize: Int64 { Int64(segment.size) }

    private let directory: ConfinedDirectory
    private let partial: RelativePath
    /// Its current name: ``partial``, or a hidden one until ``takeName()``.
    private var name: RelativePath
    private var path: String { directory.fullPath(name) }
    /// nil once closed.
    private var file: FileDescriptor?
    /// For whole blocks; nil if the file system refuses O_DIRECT.
    private var direct: FileDescriptor?
    private var needsSync = false
    /// Whether the next sync must check the name, even if there is nothing else to do.
    private var needsCheck = false
    /// Writes and syncs small pieces in one step; nil before the first one, and if that is not possible.
    private var tail: SyncedTail?
    private var hasTail = false
    /// Before it the file consists of written blocks, so that a sync has to write data only.
    private var zeroed: Int
    /// How many bytes of the segment a partial file of an older timeline holds. That file is the valid one until this
    /// one holds as much.
    private let heldElsewhere: Int

    /// How much is zeroed at once, ahead of a stream that comes in small pieces.
    private static let zeroStep = 16 << 20

    /// Creates the file, or continues one that exists: that one's content is the same WAL, so each byte is overwritten
    /// with the same value and nothing held is ever lost.
    ///
    /// - Parameters:
    ///   - prepared: A file to use, of full size and on stable storage; nil to create one.
    ///   - heldElsewhere: How many bytes it must hold before it gets its name.
    init(
        _ segment: WALSegment, in directory: ConfinedDirectory, mode: UInt16, prepared: RelativePath?,
        heldElsewhere: Int = 0
    ) throws(FileIOError) {
        self.heldElsewhere = heldElsewhere
        partial = RelativePath(segment.name + ArchivedSegment.partialSuffix)
        var name = partial
        var zeroed = 0
        // An existing file may hold more WAL than is written now, which must stay.
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
                // Left by a program that ran out of room; PostgreSQL's tools refuse it. Its content must not be zeroed.
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

    /// Renames the file to a partial segment. The previous segment must be finished by then, because PostgreSQL's tools
    /// continue with the newest one.
    func takeName() throws(WALDestinationError) {
        guard name != partial, !isHeldBack else { return }
        if heldElsewhere > 0 { try sync() }
        guard try writing({ () throws(FileIOError) in try directory.renameIfFree(name, to: partial) }) else {
            throw inTheWay(directory.fullPath(partial))
        }
        name = partial
    }

    var isHeldBack: Bool { name != partial && written < heldElsewhere }

    /// The name of a new file until ``takeName()``.
    static let newName: RelativePath = ".understudy-new"

    private static func make(
        _ name: RelativePath, size: Int, in directory: ConfinedDirectory, mode: UInt16
    ) throws(FileIOError) {
        if directory.exists(name) { try directory.remove(name) }
        let file = try directory.createFile(name, mode: mode)
        do throws(FileIOError) {
            try extend(file, from: 0, to: size, path: directory.fullPath(name))
        } catch {
            // Free its space: it may be needed to fix the problem.
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

    /// Like ``write(_:at:)``, but also syncs the bytes if possible, so that ``sync()`` only has to check the name.
    func writeToSync(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError) {
        guard try writeThrough(bytes, at: offset) else { return try write(bytes, at: offset) }
        written = offset + bytes.byteCount
        needsCheck = true
    }

    /// - Returns: Whether the bytes are on stable storage.
    private func writeThrough(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError) -> Bool {
        let end = offset + bytes.byteCount
        // Before the first sync the file's space may not be allocated yet. And only zeros may follow the bytes.
        guard hasTail, !needsSync, offset == written, end <= zeroed, bytes.byteCount <= SyncedTail.limit else {
            return false
        }
        try checkSize(beforeWritingUpTo: end)
        // Without memory for it, the bytes are written and synced separately.
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

    /// Checks the size before the last block is written: that write would give a truncated file its size back.
    private func checkSize(beforeWritingUpTo end: Int) throws(WALDestinationError) {
        if end > segment.size - Block.alignment { try checkSize(name, directory) }
    }

    func handOver() {}

    func checkName() throws(WALDestinationError) { try check(name, directory) }

    /// Zeros the space ahead, because the stream now comes in small pieces: that makes each sync cheaper.
    func zeroAhead() throws(WALDestinationError) {
        guard zeroed < segment.size, written >= zeroed - Self.zeroStep / 4 else { return }
        let start = max(zeroed, written), end = min(segment.size, start + Self.zeroStep)
        try checkSize(beforeWritingUpTo: end)
        // Allocated space does not run out; if it was not allocated, the next write reports that.
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
        // On a network file system, delayed writes may fail here.
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
        // Only the address is used; no memory is read.
        return unsafe withUnsafeBytes { UInt(bitPattern: $0.baseAddress!) % UInt(Block.alignment) == 0 }
    }
}
