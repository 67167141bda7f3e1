import CUnderstudyLinux
import Glibc

/// A file that one thread writes once, sequentially: a new one, or one that is there already and is updated in place.
///
/// A large file is preallocated, so that a full disk is noticed early, and is written past the page cache. A small
/// file, and the last incomplete page of a large one, go through the cache.
///
/// If asked, long runs of zeros are left out: since the file is new and not preallocated then, they read as zeros all the
/// same; where it is not new, they are made a hole. Content and size are always those that were written here.
package struct OutputFile: ~Copyable {
    private let descriptor: FileDescriptor
    /// The full path, for messages.
    package let path: String
    package let size: UInt64
    private var isDirect: Bool
    private var offset: Int64 = 0
    private var writebackStarted: Int64 = 0
    private let leavesHoles: Bool
    /// The size that the file had when it was opened; zero for a new one.
    private let found: Int64
    /// Zeros that came behind `offset`, held back until it is known whether their run becomes a hole.
    private var heldZeros: Int64 = 0
    /// All bytes that came.
    private var received: Int64 = 0

    /// Files of at least this size are written directly.
    package static let directThreshold: UInt64 = 1 << 20
    /// Runs of zeros of at least this size become holes. Shorter ones are often room that a server has reserved, and
    /// many small holes would scatter a file over the disk.
    package static let shortestHole = 16 << 20
    /// Without direct writes, write-back starts whenever this many bytes are in the page cache.
    private static let writebackStep: Int64 = 4 << 20

    /// Creates the file in `directory`, or opens the one that is there.
    ///
    /// - Parameters:
    ///   - size: The final size, or about that; exactly that if holes are left.
    ///   - preallocates: Whether a large file is preallocated to its size.
    ///   - leavesHoles: Whether runs of zeros in whole pages become holes if they have ``shortestHole`` bytes. A file that
    ///     is long enough for one is not preallocated.
    ///   - updates: Whether the file may be there: see ``ConfinedDirectory/updateFile(_:mode:direct:found:)``.
    package init(
        in directory: ConfinedDirectory, _ relative: RelativePath, mode: UInt16, size: UInt64,
        preallocates: Bool = true, leavesHoles: Bool = false, updates: Bool = false
    ) throws(FileIOError) {
        let isLarge = size >= Self.directThreshold
        let leavesHoles = leavesHoles && size >= UInt64(Self.shortestHole)
        var isDirect = isLarge
        var found: UInt64 = 0
        let file =
            updates
            ? try directory.updateFile(relative, mode: mode, direct: &isDirect, found: &found)
            : try directory.createFile(relative, mode: mode, direct: &isDirect)
        let path = directory.fullPath(relative)
        if isLarge, preallocates, !leavesHoles, found < size { try file.preallocate(size, path: path) }
        self.path = path
        self.size = size
        self.isDirect = isDirect
        self.leavesHoles = leavesHoles
        self.found = Int64(found)
        descriptor = file
    }

    /// Writes the next bytes.
    ///
    /// Direct writes need memory aligned to ``Block/alignment``; only the last piece may have a length that is not a
    /// multiple of it.
    package mutating func write(_ bytes: RawSpan) throws(FileIOError) {
        received += Int64(bytes.byteCount)
        guard leavesHoles else { return try writeAll(bytes) }
        var rest = bytes
        while !rest.isEmpty {
            // A run between two other bytes of a piece is too short: only zeros at its ends may belong to a hole.
            let piece = rest.extracting(..<min(rest.byteCount, Self.shortestHole))
            try writeOrHold(piece)
            rest = rest.extracting(piece.byteCount...)
        }
    }

    /// Passes over the next bytes, which the file had there when it was opened. If it did not, they are written. As for
    /// ``write(_:)``, only the last piece may have any length.
    package mutating func passOver(_ bytes: RawSpan) throws(FileIOError) {
        guard received + Int64(bytes.byteCount) <= found else { return try write(bytes) }
        try endRun()
        received += Int64(bytes.byteCount)
        offset = received
    }

    private mutating func writeAll(_ bytes: RawSpan) throws(FileIOError) {
        let aligned = Block.whole(bytes.byteCount)
        if isDirect && aligned < bytes.byteCount {
            if aligned > 0 { try put(bytes.extracting(..<aligned)) }
            try leaveDirect()
            try put(bytes.extracting(aligned...))
        } else {
            try put(bytes)
        }
        if !isDirect && offset - writebackStarted >= Self.writebackStep {
            // This only starts write-back early. The sync at the end is what counts, so a failure is not an error.
            _ = understudy_start_writeback(descriptor.rawValue, writebackStarted, offset - writebackStarted)
            writebackStarted = offset
        }
    }

    private mutating func put(_ bytes: RawSpan) throws(FileIOError) {
        try descriptor.write(bytes, at: offset, path: path)
        offset += Int64(bytes.byteCount)
    }

    // MARK: - Holes

    /// Holds zeros at the end of the piece back, and writes the rest.
    private mutating func writeOrHold(_ piece: RawSpan) throws(FileIOError) {
        let leading = piece.leadingZeros
        guard leading < piece.byteCount else {
            heldZeros += Int64(leading)
            return
        }
        var start = 0
        if heldZeros + Int64(leading) >= Self.shortestHole {
            heldZeros += Int64(leading)
            start = leading
        }
        try endRun()
        let trailing = piece.trailingZeros
        try writeAll(piece.extracting(start..<piece.byteCount - trailing))
        heldZeros = Int64(trailing)
    }

    /// Makes the zeros that were held back a hole, if they are enough, or writes them.
    private mutating func endRun() throws(FileIOError) {
        let end = offset + heldZeros
        guard offset < end else { return }
        let isHole = heldZeros >= Self.shortestHole ? try clear(offset..<end) : false
        if !isHole {
            if isDirect {
                try writeZeros(upTo: end - heldZeros % Int64(Block.alignment))
                if offset < end { try leaveDirect() }
            }
            try writeZeros(upTo: end)
        }
        offset = end
        heldZeros = 0
    }

    /// Makes a hole of what the file had there; false if that is not possible.
    private func clear(_ range: Range<Int64>) throws(FileIOError) -> Bool {
        let old = range.clamped(to: 0..<found)
        return old.isEmpty ? true : try descriptor.punchHole(old, path: path)
    }

    private mutating func writeZeros(upTo end: Int64) throws(FileIOError) {
        guard offset < end else { return }
        try descriptor.fillWithZeros(offset..<end, path: path)
        offset = end
    }

    private mutating func leaveDirect() throws(FileIOError) {
        _ = try SystemCall.run { understudy_set_status_flags(descriptor.rawValue, O_WRONLY) }
            .orThrow("could not change the mode of file", path)
        isDirect = false
    }

    /// Closes the file.
    ///
    /// - Parameter sync: Whether the file must be on stable storage when this returns.
    package consuming func finish(sync: Bool) throws(FileIOError) {
        let path = path
        try endRun()
        // What was written and what was left out are together what came: no byte is lost, and none invented.
        precondition(offset == received, "a file has not the length of what came for it")
        if leavesHoles {
            precondition(received == Int64(size), "a file with holes has not its announced size")
        }
        // A hole at the end is no part of the file yet, and what an older file had there is none any more.
        if received != found, leavesHoles || received < found { try descriptor.truncate(to: received, path: path) }
        if sync { try descriptor.sync(path: path) }
        try descriptor.close(path: path)
    }
}
