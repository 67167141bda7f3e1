/// Blocks on their way from the thread that fills them to the one that uses them: a few, so that neither is far ahead.
///
/// The filler ends the pipe, the user closes it: neither waits for one that has gone.
package final class BlockPipe<Failure: Error>: Sendable {
    private struct State {
        var filled: [Block] = []
        /// What the filler ended with.
        var end: Result<Void, Failure>?
        var isClosed = false
    }

    private let pool: BlockPool
    private let state = Monitor(State())

    package init(blocks: Int, blockSize: Int) {
        pool = BlockPool(blocks: blocks, blockSize: blockSize)
    }

    // MARK: - The thread that fills

    /// An empty block. Waits until one is free.
    ///
    /// - Throws: If there is no memory for even one block.
    package func take() throws(FileIOError) -> Block {
        while true {
            if let block = try pool.take() { return block }
        }
    }

    /// Passes a block on.
    ///
    /// - Returns: False if nobody will use it.
    package func send(_ block: Block) -> Bool {
        state.update { state in
            guard !state.isClosed else { return false }
            state.filled.append(block)
            return true
        }
    }

    /// Nothing comes behind what was sent.
    package func end(_ result: Result<Void, Failure>) {
        state.update { $0.end = $0.end ?? result }
    }

    // MARK: - The thread that uses

    /// The next block, to be given back. Waits for it.
    ///
    /// - Returns: nil at the end.
    /// - Throws: What the filler ended with.
    package func next() throws(Failure) -> Block? {
        let next = state.wait { state -> Result<Block?, Failure>? in
            if !state.filled.isEmpty { return .success(state.filled.removeFirst()) }
            return state.end.map { end in end.map { nil } }
        }
        return try next?.get() ?? nil
    }

    package func give(back block: Block) {
        pool.give(back: block)
    }

    /// Has the filler end, whatever it waits for. Nothing is received afterwards.
    package func close() {
        let left = state.update { state in
            state.isClosed = true
            defer { state.filled = [] }
            return state.filled
        }
        // Who waits for a block gets one, and learns of the end when it sends that.
        for block in left { pool.give(back: block) }
    }
}
