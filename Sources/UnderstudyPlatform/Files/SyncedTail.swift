/// Writes small pieces of a file to stable storage with one call each, past the page cache. A waiting commit saves a
/// few tenths of the time of pwrite(2) and fdatasync(2); on a disk that can write through, it does not wait for a flush
/// of the disk's cache.
///
/// Whole blocks are written: the last block is kept, and written again with the bytes that follow. So the file must
/// already have its full size, with zeros after the written bytes.
package struct SyncedTail {
    /// The bytes from ``start`` on. Between writes, the used part of the last block.
    private var block: Block
    private var spare: Block
    /// The file offset of the block's first byte, a multiple of the alignment.
    private var start: Int64 = 0

    /// The maximum number of bytes per write.
    package static let limit = 128 << 10

    /// - Throws: If there is not enough memory.
    package init() throws(FileIOError) {
        block = try Block(capacity: Self.limit + 2 * Block.alignment)
        spare = try Block(capacity: Block.alignment)
    }

    /// Writes bytes directly after the current content of the file.
    ///
    /// - Parameters:
    ///   - direct: The file, opened with O_DIRECT.
    ///   - file: The same file, opened for reading.
    /// - Returns: Whether the bytes are on stable storage. False if that is not possible in this way; all of them must
    ///   then be written and synced in another way.
    package mutating func write(
        _ bytes: RawSpan, at offset: Int64, to direct: borrowing FileDescriptor, of file: borrowing FileDescriptor,
        path: @autoclosure () -> String
    ) throws(FileIOError) -> Bool {
        guard bytes.byteCount <= Self.limit else { return false }
        let before = Int(offset % Int64(Block.alignment))
        if start != offset - Int64(before) || block.count != before {
            block.clear()
            start = offset - Int64(before)
            let read = try file.read(from: start, atMost: before, path: path())
            // UInt8 has no padding, and the bytes are copied during the call.
            guard unsafe block.append(read.span.bytes) == before else { return false }
        }
        _ = block.append(bytes)
        let end = block.count
        _ = unsafe block.append(Self.zeros.span.bytes.extracting(..<(-end & (Block.alignment - 1))))
        let isWritten: Bool
        do throws(FileIOError) { isWritten = try direct.writeThrough(block.bytes, at: start, path: path()) } catch {
            block.clear()
            throw error
        }
        let whole = Block.whole(end)
        spare.clear()
        _ = spare.append(block.bytes.extracting(whole..<end))
        block.clear()
        guard isWritten else { return false }
        _ = block.append(spare.bytes)
        start += Int64(whole)
        return true
    }

    private static let zeros = [UInt8](repeating: 0, count: Block.alignment)
}
