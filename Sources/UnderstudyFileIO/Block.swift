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

    package init(capacity: Int) {
        precondition(capacity > 0 && capacity % Self.alignment == 0)
        self.capacity = capacity
        unsafe memory = .allocate(byteCount: capacity, alignment: Self.alignment)
    }

    deinit {
        unsafe memory.deallocate()
    }

    package var room: Int { capacity - count }

    /// Copies as much of `bytes` as there is room for, and says how much that was.
    package func append(_ bytes: RawSpan) -> Int {
        let length = min(bytes.byteCount, room)
        guard length > 0 else { return 0 }
        // `length` bytes are readable in the span and writable behind `count`: both were just compared.
        unsafe bytes.withUnsafeBytes { source in
            unsafe memory.advanced(by: count).copyMemory(from: source.baseAddress!, byteCount: length)
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
    }

    private let state = Monitor(State())
    private let limit: Int
    private let blockSize: Int

    package init(blocks: Int, blockSize: Int) {
        limit = blocks
        self.blockSize = blockSize
    }

    /// An empty block, when one is free; waits at most `timeout` for it.
    package func take(timeout: Duration? = nil) -> Block? {
        state.wait(timeout: timeout) { state in
            if let block = state.free.popLast() { return block }
            guard state.made < self.limit else { return nil }
            state.made += 1
            return Block(capacity: self.blockSize)
        }
    }

    package func give(back block: Block) {
        block.clear()
        state.update { $0.free.append(block) }
    }
}
