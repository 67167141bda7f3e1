import CUnderstudyLinux
import Glibc

/// A new file that is written once, from front to end, by one thread.
///
/// A large file is preallocated, so that a full disk shows before its bytes are there, and written past the
/// page cache; a small one, and the end of a large one that fills no whole page, goes through the cache.
package struct OutputFile: ~Copyable {
    private let descriptor: FileDescriptor
    /// The whole path, for messages.
    package let path: String
    package let size: UInt64
    private var isDirect: Bool
    private var offset: Int64 = 0
    private var writebackStarted: Int64 = 0

    /// From this size on a file is written directly.
    package static let directThreshold: UInt64 = 1 << 20
    /// Without direct writes, write-back begins each time that this much is in the page cache.
    private static let writebackStep: Int64 = 4 << 20

    /// Makes the file in `directory`.
    ///
    /// - Parameter size: The size it will have; the file is preallocated to it if it is large.
    package init(
        in directory: ConfinedDirectory, _ relative: RelativePath, mode: UInt16, size: UInt64
    ) throws(FileIOError) {
        let isLarge = size >= Self.directThreshold
        var isDirect = isLarge
        let file = try directory.createFile(relative, mode: mode, direct: &isDirect)
        let path = directory.fullPath(relative)
        if isLarge { try file.preallocate(size, path: path) }
        self.path = path
        self.size = size
        self.isDirect = isDirect
        descriptor = file
    }

    /// Writes the next bytes.
    ///
    /// Direct writes need memory that begins at a multiple of ``Block/alignment``; only the last piece may have
    /// a length that is no multiple of it.
    package mutating func write(_ bytes: RawSpan) throws(FileIOError) {
        let tail = bytes.byteCount % Block.alignment
        if isDirect && tail != 0 {
            let aligned = bytes.byteCount - tail
            if aligned > 0 { try put(bytes.extracting(..<aligned)) }
            try leaveDirect()
            try put(bytes.extracting(aligned...))
        } else {
            try put(bytes)
        }
        if !isDirect && offset - writebackStarted >= Self.writebackStep {
            // An early start only; the sync at the end is what counts, so a refusal is no error.
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

    /// Ends the file.
    ///
    /// - Parameter sync: Whether it must be on stable storage when this returns.
    package consuming func finish(sync: Bool) throws(FileIOError) {
        let path = path
        if sync { try descriptor.sync(path: path) }
        try descriptor.close(path: path)
    }
}
