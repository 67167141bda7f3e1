import CUnderstudyLinux
import Glibc

/// A new file that one thread writes once, sequentially.
///
/// A large file is preallocated, so that a full disk is noticed early, and is written past the page cache. A small
/// file, and the last incomplete page of a large one, go through the cache.
package struct OutputFile: ~Copyable {
    private let descriptor: FileDescriptor
    /// The full path, for messages.
    package let path: String
    package let size: UInt64
    private var isDirect: Bool
    private var offset: Int64 = 0
    private var writebackStarted: Int64 = 0

    /// Files of at least this size are written directly.
    package static let directThreshold: UInt64 = 1 << 20
    /// Without direct writes, write-back starts whenever this many bytes are in the page cache.
    private static let writebackStep: Int64 = 4 << 20

    /// Creates the file in `directory`.
    ///
    /// - Parameters:
    ///   - size: The final size, or about that.
    ///   - preallocates: Whether a large file is preallocated to its size.
    package init(
        in directory: ConfinedDirectory, _ relative: RelativePath, mode: UInt16, size: UInt64, preallocates: Bool = true
    ) throws(FileIOError) {
        let isLarge = size >= Self.directThreshold
        var isDirect = isLarge
        let file = try directory.createFile(relative, mode: mode, direct: &isDirect)
        let path = directory.fullPath(relative)
        if isLarge, preallocates { try file.preallocate(size, path: path) }
        self.path = path
        self.size = size
        self.isDirect = isDirect
        descriptor = file
    }

    /// Writes the next bytes.
    ///
    /// Direct writes need memory aligned to ``Block/alignment``; only the last piece may have a length that is not a
    /// multiple of it.
    package mutating func write(_ bytes: RawSpan) throws(FileIOError) {
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
        if sync { try descriptor.sync(path: path) }
        try descriptor.close(path: path)
    }
}
