import UnderstudyCore
import UnderstudyPlatform

/// Lets several feeders fill batches at once for one writer, which gets them in the order of the feeders' turns.
///
/// Batches of a turn that is not due wait here. Memory is bounded by the blocks of the pool, and nobody waits in a circle: a
/// feeder has no more blocks ahead of its turn than its share, all shares together leave two blocks over, and the feeder
/// whose turn it is may always take one of those, since all that are not waiting here are on their way to the writer.
final class WriteTurns<Output: MemberOutput & ~Copyable>: Sendable {
    typealias Batch = WriteBatch<Output.Place>

    /// What has come of a turn that is not due.
    private struct Waiting {
        var feeder: Int
        /// The blocks that the feeder has for it, full or not.
        var blocks = 0
        var batches: [Batch] = []
        var isEnded = false
    }

    private struct State {
        /// The turn that is due.
        var due = 0
        var waiting: [Int: Waiting] = [:]
        var feeders = 0

        func blocks(of feeder: Int) -> Int {
            waiting.values.reduce(0) { $0 + ($1.feeder == feeder ? $1.blocks : 0) }
        }
    }

    private let state = Monitor(State())
    private let pool: WritePool<Output>
    private let interrupt: Interrupt
    /// How many blocks a feeder may have ahead of its turn: none where memory is so short.
    let share: Int

    /// How often the interrupt is looked at while a feeder waits.
    private static var interval: Duration { .milliseconds(200) }

    /// - Parameters:
    ///   - pool: Has one writer, and no feeders but those with turns.
    ///   - feeders: The most that are in turns at once.
    init(_ pool: WritePool<Output>, feeders: Int, interrupt: Interrupt) throws(UnderstudyError) {
        self.pool = pool
        self.interrupt = interrupt
        share = max(0, (try pool.makeBlocks() - 2) / feeders)
    }

    /// - Returns: nil if all comes through one feeder.
    convenience init?(
        _ pool: WritePool<Output>, for connections: BaseBackup.Connections, _ interrupt: Interrupt
    ) throws(UnderstudyError) {
        guard connections.isParallel else { return nil }
        try self.init(pool, feeders: connections.count, interrupt: interrupt)
    }

    /// A number for one more feeder.
    func addFeeder() -> Int {
        state.change { state in
            defer { state.feeders += 1 }
            return state.feeders
        }
    }

    /// All blocks that wait for their turn, or are filled for it.
    var blocksAhead: Int {
        state.read { state in state.waiting.values.reduce(0) { $0 + $1.blocks } }
    }

    /// Whether it is this turn now.
    func isDue(_ turn: Int) -> Bool { state.read { $0.due == turn } }

    /// Waits until the feeder may take one more block for its turn.
    ///
    /// - Throws: If the run is interrupted: then the turn may never come.
    func claimBlock(for turn: Int, of feeder: Int) throws(UnderstudyError) {
        while !interrupt.isRaised {
            let isClaimed = state.wait(timeout: Self.interval) { state -> Bool? in
                if state.due == turn { return true }
                guard state.blocks(of: feeder) < share else { return nil }
                state.waiting[turn, default: Waiting(feeder: feeder)].blocks += 1
                return true
            }
            if isClaimed != nil { return }
        }
        throw UnderstudyError(.cancelled, "the base backup was cancelled")
    }

    /// Passes a batch on, or keeps it until its turn is due.
    func submit(_ batch: Batch, of turn: Int) {
        state.change { state in
            precondition(turn >= state.due, "a turn goes on after its end")
            if turn == state.due { pool.submit(batch) } else { state.waiting[turn]!.batches.append(batch) }
        }
    }

    /// Ends a turn. If it was due, the next one is, and passes on what has come of it.
    func end(_ turn: Int, of feeder: Int) {
        state.update { state in
            guard turn == state.due else {
                return state.waiting[turn, default: Waiting(feeder: feeder)].isEnded = true
            }
            state.due += 1
            while let next = state.waiting.removeValue(forKey: state.due) {
                for batch in next.batches { pool.submit(batch) }
                if !next.isEnded { return }
                state.due += 1
            }
        }
    }
}
