package import UnderstudyPlatform
package import UnderstudyWAL

/// Writes WAL to a destination on a thread of the process's pool, or on the network thread when a commit waits for a small
/// piece and the writer is idle. Two threads that wake each other for every commit take longer.
package final class WALWriter: PooledWork {
    typealias Piece = WriteSequence.Piece

    struct State {
        var jobs: [WriteSequence.Job] = []
        /// nil while one of the threads performs a job.
        var sequence: WriteSequence?
        var isStarted = false
        /// Whether a thread of the pool does the jobs, or will.
        var isScheduled = false
        /// Whether a thread of the pool does one now.
        var isRunning = false
        /// Whether nothing is done before the next attempt is due.
        var isPausing = false
        var isClosed = false
        /// Whether nothing is done any more.
        var hasEnded = false
        /// When the oldest job that is not done was queued, or the one before it was done; nil if all are done.
        var busySince: ContinuousClock.Instant?
        var report = Report()

        /// Whether a thread of the pool has something to do.
        var isDue: Bool {
            // Who has the sequence looks again when it puts it back.
            guard isStarted, !hasEnded, report.failure == nil, sequence != nil else { return false }
            return isClosed || (!isPausing && !jobs.isEmpty)
        }
    }

    let state: Monitor<State>
    let destination: any WALDestination
    private let member: LaneMember
    let blocks: BlockShare
    private let ticker = Monitor<Timers.Ticket?>(nil)
    /// Raised when the report has changed.
    let progress = Interrupt()
    /// Talks to the server while a sync blocks the network thread.
    let statusRepeater = StatusRepeater()

    /// Pieces end at multiples of this size, so that a piece that fills a block can be written past the page cache.
    package static let blockSize = 1 << 20
    static let retryPause = Duration.milliseconds(500)
    /// How many jobs are done before other writers of the same file system have their turn.
    static let jobsInSlice = 4

    /// - Parameters:
    ///   - destination: Opened, if that tells which file system it is on.
    ///   - blocks: The number of 1 MB blocks that it may hold. WAL has its own blocks, so that base data on a slow disk
    ///     cannot starve it into wal_sender_timeout.
    ///   - noteSync: Told on either thread how long each sync took, with the write that was part of it.
    package init(
        destination: any WALDestination, blocks: Int = 4, noteSync: (@Sendable (Duration) -> Void)? = nil
    ) {
        self.destination = destination
        state = Monitor(State(sequence: WriteSequence(destination, noteSync: noteSync)))
        let lane = (destination as? any PlacedDestination)?.lane ?? HelperPool.shared.ownLane("wal writer")
        member = LaneMember(lane)
        self.blocks = BlockShare(.shared, group: lane, limit: blocks)
    }

    deinit {
        ticker.read { $0 }?.cancel()
    }

    /// Begins to do the jobs.
    ///
    /// - Returns: What waits for the end.
    /// - Throws: If no thread can be started.
    package func start() throws(FileIOError) -> Running {
        try Timers.shared.start()
        try member.lane.ensureThread()
        ticker.update { [statusRepeater] ticker in
            ticker = Timers.shared.every(StatusRepeater.interval) { statusRepeater.sendIfDue() }
        }
        state.update { state in
            state.isStarted = true
            scheduleIfDue(&state)
        }
        destination.progress?.attach { [weak self] in self?.syncAgain() }
        return Running(writer: self)
    }

    /// A writer that was started.
    package struct Running: Sendable {
        fileprivate let writer: WALWriter

        /// Waits until the last job is done after ``WALWriter/close()``, or one has failed for good.
        package func join() { writer.awaitEnd() }
    }

    private func awaitEnd() {
        _ = state.wait { state in
            !state.isScheduled && (state.hasEnded || state.report.failure != nil) ? true : nil
        }
        ticker.read { $0 }?.cancel()
        member.leave(waits: true)
    }

    /// Has a thread do what is due. If none can be had, it is tried again, like what there is no room for.
    func scheduleIfDue(_ state: inout State) {
        guard state.isDue, !state.isScheduled else { return }
        state.isScheduled = member.lane.schedule(self)
        if !state.isScheduled { tryLater() }
    }

    func tryLater() {
        Timers.shared.after(Self.retryPause) { [weak self] in
            self?.state.update { state in
                state.isPausing = false
                self?.scheduleIfDue(&state)
            }
        }
    }

    // MARK: - For the network thread

    func takeBlock(timeout: Duration) throws(ReceiveError) -> Block? {
        do throws(FileIOError) { return try blocks.take(timeout: timeout) } catch {
            throw ReceiveError(WALDestinationError(error))
        }
    }

    /// For a block that was taken and is not needed now.
    func give(back block: Block) {
        blocks.give(back: block)
    }

    func write(_ piece: Piece) {
        queue([.write(piece)])
    }

    private func queue(_ jobs: [WriteSequence.Job]) {
        state.change { state in
            state.jobs += jobs
            state.busySince = state.busySince ?? .now
            scheduleIfDue(&state)
        }
    }

    /// Queues a sync of everything handed over so far, and of a last piece.
    func sync(after piece: Piece? = nil) {
        queue((piece.map { [.write($0)] } ?? []) + [.sync])
    }

    /// Like ``sync(after:)``, but done on return if the writer is idle and there is little to sync.
    ///
    /// - Returns: Whether the network thread must read the report now.
    func syncAtOnce(after piece: Piece?) -> Bool {
        let idle = state.change { state -> WriteSequence? in
            let size = (state.sequence?.unsynced ?? 0) + (piece?.block.count ?? 0)
            guard state.jobs.isEmpty, state.report.failure == nil, size <= Self.blockSize else { return nil }
            state.busySince = .now
            return state.sequence.take()
        }
        guard var sequence = idle else {
            sync(after: piece)
            return false
        }
        let jobs: [WriteSequence.Job] = (piece.map { [.write($0)] } ?? []) + [.sync]
        return perform(jobs, &sequence)
    }

    /// Queues a sync because the destination has announced progress: its result is reported even if nothing was written
    /// since the last one.
    private func syncAgain() {
        state.update { state in
            // One that is still queued will have the result, too.
            guard !state.isClosed, state.jobs.last?.isSync != true else { return }
            state.jobs.append(.sync)
            state.busySince = state.busySince ?? .now
            scheduleIfDue(&state)
        }
    }

    package func putHistory(_ timeline: TimelineID, _ bytes: [UInt8]) {
        queue([.history(timeline, bytes)])
    }

    /// Waits until all but a few of the queued history files have been taken up.
    ///
    /// - Returns: False if that takes longer than the timeout.
    func awaitHistories(timeout: Duration) -> Bool {
        state.wait(timeout: timeout) { state in
            state.jobs.count(where: \.isHistory) < Self.mostHistories ? true : nil
        } ?? false
    }

    private static let mostHistories = 2

    /// Ends the timeline: later reports are about the next one, which begins at this position.
    func endTimeline(next position: LSN) {
        queue([.suspend(position)])
    }

    /// Marks the end of the jobs: the writer ends when the last one is done, or cannot be done for lack of room.
    package func close() {
        destination.progress?.detach()
        state.update { state in
            state.isClosed = true
            scheduleIfDue(&state)
        }
    }

    /// Since when the destination has been busy with one thing: the oldest write or sync that is not done, or has waited for its
    /// turn since the one before it was done. Nil if all are done. On any thread.
    package var busySince: ContinuousClock.Instant? { state.read { $0.busySince } }

    /// What has happened so far; `finished` covers the time since the last call.
    package func report() -> Report {
        state.change { state in
            defer { state.report.finished = [] }
            return state.report
        }
    }
}
