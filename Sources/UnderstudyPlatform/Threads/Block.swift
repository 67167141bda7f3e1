import Glibc

/// A page-aligned buffer of fixed size, filled from the front: the unit in which bytes go to a writer.
@safe package final class Block: @unchecked Sendable {
    // Sendable: a block has one holder at a time. The pool hands it to the filler, the filler to a writer's
    // queue, the writer back to the pool; each hand-over passes through a Monitor.
    private let memory: UnsafeMutableRawPointer
    package let capacity: Int
    package private(set) var count = 0

    /// The alignment that O_DIRECT asks of memory, offsets and lengths on all usual devices.
    package static let alignment = 4096

    /// - Parameter capacity: A multiple of ``alignment``; what is more is not used.
    /// - Throws: Where there is no memory for it.
    package init(capacity: Int) throws(FileIOError) {
        self.capacity = capacity - capacity % Self.alignment
        // aligned_alloc wants a size that is a multiple of the alignment. Swift's own allocation ends the process where
        // there is no memory.
        guard let memory = unsafe aligned_alloc(Self.alignment, max(Self.alignment, self.capacity)) else {
            throw FileIOError("could not allocate", "\(capacity) bytes", number: ENOMEM)
        }
        unsafe self.memory = memory
    }

    deinit {
        unsafe free(memory)
    }

    package var room: Int { capacity - count }

    /// Copies as much of `bytes` as there is room for, and says how much that was.
    package func append(_ bytes: RawSpan) -> Int {
        let length = min(bytes.byteCount, room)
        guard length > 0 else { return 0 }
        // `length` bytes are readable in the span and writable behind `count`: both were just compared.
        unsafe bytes.withUnsafeBytes { source in
            guard let start = source.baseAddress else { return }
            unsafe memory.advanced(by: count).copyMemory(from: start, byteCount: length)
        }
        count += length
        return length
    }

    package func clear() {
        count = 0
    }

    /// What has been filled so far.
    package var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            // The first `count` bytes were written by append; the memory lives as long as self.
            let span = unsafe RawSpan(_unsafeStart: memory, byteCount: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }
}

/// A fixed number of blocks. Memory is bounded by it: who finds it empty waits for a writer to give one back.
package final class BlockPool: Sendable {
    private struct State {
        var free: [Block] = []
        var made = 0
        /// How many there may be: fewer than wanted where there was no memory for more.
        var limit: Int
    }

    private let state: Monitor<State>
    private let blockSize: Int

    package init(blocks: Int, blockSize: Int) {
        state = Monitor(State(limit: blocks))
        self.blockSize = blockSize
    }

    /// An empty block, when one is free; waits at most `timeout` for it.
    ///
    /// Where there is no memory for another block, those that there are go round.
    ///
    /// - Returns: nil when the time has passed.
    /// - Throws: Where there is no memory for a single block.
    package func take(timeout: Duration? = nil) throws(FileIOError) -> Block? {
        let taken = state.wait(timeout: timeout) { state -> Result<Block, FileIOError>? in
            if let block = state.free.popLast() { return .success(block) }
            guard state.made < state.limit else { return nil }
            do throws(FileIOError) {
                let block = try Block(capacity: self.blockSize)
                state.made += 1
                return .success(block)
            } catch {
                if state.made == 0 { return .failure(error) }
                state.limit = state.made
                return nil
            }
        }
        return try taken?.get()
    }

    package func give(back block: Block) {
        block.clear()
        state.update { $0.free.append(block) }
    }
}
