import CUnderstudyLinux
import Glibc

/// A new file of which several threads write pieces, each byte once.
///
/// It is written past the page cache, as ``OutputFile`` writes large files, until a piece comes that is not aligned.
package final class PiecedFile: @unchecked Sendable {
    // Sendable: the descriptor is only read until the last piece is written; then one thread takes it.
    private var descriptor: FileDescriptor?
    private let number: CInt
    /// The full path, for messages.
    package let path: String
    package let size: UInt64
    private let isDirect: Monitor<Bool>
    /// Bytes that were written, or left out since they are zeros.
    private let covered = Monitor<UInt64>(0)

    /// Creates the file in `directory`.
    ///
    /// - Parameters:
    ///   - size: The final size.
    ///   - leavesHoles: Whether ``leaveHole(_:)`` may be called. Such a file is not preallocated.
    package init(
        in directory: ConfinedDirectory, _ relative: RelativePath, mode: UInt16, size: UInt64, leavesHoles: Bool
    ) throws(FileIOError) {
        var isDirect = true
        let file = try directory.createFile(relative, mode: mode, direct: &isDirect)
        path = directory.fullPath(relative)
        self.size = size
        self.isDirect = Monitor(isDirect)
        if !leavesHoles { try file.preallocate(size, path: path) }
        number = file.rawValue
        descriptor = consume file
    }

    /// Writes bytes at an offset.
    ///
    /// Direct writes need memory aligned to ``Block/alignment``; only the end of the file may be at an offset that is no
    /// multiple of it.
    package func write(_ bytes: RawSpan, at offset: UInt64) throws(FileIOError) {
        let aligned = Block.whole(bytes.byteCount)
        if aligned > 0 { try put(bytes.extracting(..<aligned), at: offset) }
        guard aligned < bytes.byteCount else { return }
        try leaveDirect()
        try put(bytes.extracting(aligned...), at: offset + UInt64(aligned))
    }

    private func put(_ bytes: RawSpan, at offset: UInt64) throws(FileIOError) {
        precondition(offset + UInt64(bytes.byteCount) <= size, "a piece lies beyond the end of its file")
        try descriptor!.write(bytes, at: Int64(offset), path: path)
        covered.update { $0 += UInt64(bytes.byteCount) }
    }

    /// Writes zeros.
    package func writeZeros(_ range: Range<UInt64>) throws(FileIOError) {
        guard !range.isEmpty else { return }
        try descriptor!.fillWithZeros(Int64(range.lowerBound)..<Int64(range.upperBound), path: path)
        covered.update { $0 += UInt64(range.count) }
    }

    /// Leaves zeros out.
    package func leaveHole(_ range: Range<UInt64>) {
        covered.update { $0 += UInt64(range.count) }
    }

    /// Other threads may write at this moment: each of their writes is then a direct one or not, and right both ways.
    private func leaveDirect() throws(FileIOError) {
        let result = isDirect.update { isDirect -> Result<Void, FileIOError> in
            guard isDirect else { return .success(()) }
            do throws(FileIOError) {
                _ = try SystemCall.run { understudy_set_status_flags(number, O_WRONLY) }
                    .orThrow("could not change the mode of file", path)
            } catch { return .failure(error) }
            isDirect = false
            return .success(())
        }
        try result.get()
    }

    /// Ends the file, once all its bytes were given.
    ///
    /// - Parameter sync: Whether it must be on stable storage when this returns.
    package func finish(sync: Bool) throws(FileIOError) {
        // No byte is lost, and none invented.
        precondition(covered.read { $0 } == size, "a file ends of which not all pieces have come")
        guard let descriptor = descriptor.take() else { return }
        // A hole at the end is no part of the file yet.
        try descriptor.truncate(to: Int64(size), path: path)
        if sync { try descriptor.sync(path: path) }
        try descriptor.close(path: path)
    }
}
