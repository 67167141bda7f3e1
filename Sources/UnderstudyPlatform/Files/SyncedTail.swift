/// Puts small pieces of a file onto stable storage with one call each, past the page cache: a commit that waits for it waits
/// some tenths less than for pwrite(2) and fdatasync(2), and on a disk that can write through, for no flush of its cache.
///
/// Whole blocks are written: the last one is kept, and written again with what follows. So the file must have its size, and
/// zeros behind what was written.
package struct SyncedTail {
    /// From ``start`` on; at rest what there is of the last block.
    private var block: Block
    private var spare: Block
    /// Where the block's first byte belongs, a multiple of the alignment.
    private var start: Int64 = 0

    /// So much is written at once at most.
    package static let limit = 128 << 10

    /// - Throws: Where there is no memory for it.
    package init() throws(FileIOError) {
        block = try Block(capacity: Self.limit + 2 * Block.alignment)
        spare = try Block(capacity: Block.alignment)
    }

    /// Writes bytes that follow everything that is in the file.
    ///
    /// - Parameters:
    ///   - direct: Opened with O_DIRECT.
    ///   - file: The same file, to read from.
    /// - Returns: Whether they are on stable storage; false where that cannot be done in this way, and all of them are to be
    ///   written and synced in another.
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
            // Bytes are bytes; they are copied in the call.
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
        let whole = end - end % Block.alignment
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
