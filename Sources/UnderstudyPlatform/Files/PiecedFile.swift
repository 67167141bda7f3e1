import CUnderstudyLinux
import Glibc

/// A file of which several threads write pieces, each byte once: a new one, or one that is there already and is updated in
/// place.
///
/// It is written past the page cache, as ``OutputFile`` writes large files, until a piece comes that is not aligned.
package final class PiecedFile: @unchecked Sendable {
    // Sendable: the descriptor is only read until the last piece is written; then one thread takes it.
    private var descriptor: FileDescriptor?
    private let number: CInt
    /// The full path, for messages.
    package let path: String
    package let size: UInt64
    /// The size that the file had when it was opened; zero for a new one.
    private let found: UInt64
    private let isDirect: Monitor<Bool>
    /// Bytes that were written, or left out since they are zeros or there already.
    private let covered = Monitor<UInt64>(0)

    /// Creates the file in `directory`, or opens the one that is there.
    ///
    /// - Parameters:
    ///   - size: The final size.
    ///   - leavesHoles: Whether ``leaveHole(_:)`` may be called. Such a file is not preallocated.
    ///   - updates: Whether the file may be there: see ``ConfinedDirectory/updateFile(_:mode:direct:found:)``.
    package init(
        in directory: ConfinedDirectory, _ relative: RelativePath, mode: UInt16, size: UInt64, leavesHoles: Bool,
        updates: Bool = false
    ) throws(FileIOError) {
        var isDirect = true
        var found: UInt64 = 0
        let file =
            updates
            ? try directory.updateFile(relative, mode: mode, direct: &isDirect, found: &found)
            : try directory.createFile(relative, mode: mode, direct: &isDirect)
        self.found = found
        path = directory.fullPath(relative)
        self.size = size
        self.isDirect = Monitor(isDirect)
        if !leavesHoles, found < size { try file.preallocate(size, path: path) }
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

    /// Passes over bytes that the file had there when it was opened. If it did not, they are written. As for
    /// ``write(_:at:)``.
    package func passOver(_ bytes: RawSpan, at offset: UInt64) throws(FileIOError) {
        let end = offset + UInt64(bytes.byteCount)
        guard end <= min(found, size) else { return try write(bytes, at: offset) }
        covered.update { $0 += UInt64(bytes.byteCount) }
    }

    /// Leaves zeros out, and makes a hole of what the file had there.
    package func leaveHole(_ range: Range<UInt64>) throws(FileIOError) {
        let old = range.clamped(to: 0..<found)
        if !old.isEmpty {
            let old = Int64(old.lowerBound)..<Int64(old.upperBound)
            if try !descriptor!.punchHole(old, path: path) {
                if Int(old.upperBound) != Block.whole(Int(old.upperBound)) { try leaveDirect() }
                try descriptor!.fillWithZeros(old, path: path)
            }
        }
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
        // A hole at the end is no part of the file yet, and what an older file had there is none any more.
        if found != size { try descriptor.truncate(to: Int64(size), path: path) }
        if sync { try descriptor.sync(path: path) }
        try descriptor.close(path: path)
    }
}
