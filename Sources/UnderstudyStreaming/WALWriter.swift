package import UnderstudyPlatform
package import UnderstudyWAL

/// Writes WAL to a destination on its own thread, or on the network thread when a commit waits for a small piece and
/// the writer is idle. Two threads that wake each other for every commit take longer.
package final class WALWriter: Sendable {
    typealias Piece = WriteSequence.Piece

    private struct State {
        var jobs: [WriteSequence.Job] = []
        /// nil while one of the threads performs a job.
        var sequence: WriteSequence?
        var isClosed = false
        var report = Report()
    }

    /// What the writer reports to the network thread.
    package struct Report: Sendable {
        /// Everything before it is on stable storage, on the current timeline; nil before the first sync.
        var synced: LSN?
        /// Everything before it was passed to the operating system, on that timeline; nil if that is not known.
        var written: LSN?
        /// How far WAL was written at the last sync, on that timeline; before that, where the timeline begins.
        var settled: LSN?
        /// The number of timelines that have ended.
        var timelines = 0
        /// The segments that were finished, and synced after that, since the last call of `report()`.
        package internal(set) var finished: [WALSegmentName] = []
        /// Why nothing can be written at the moment; the writer keeps trying.
        var stall: WALDestinationError?
        package internal(set) var failure: WALDestinationError?

        /// - Returns: Whether the network thread must read the report now.
        fileprivate mutating func note(_ outcome: WriteSequence.Outcome) -> Bool {
            let wasStalled = stall != nil
            stall = nil
            switch outcome {
            case .done: return wasStalled
            // Reported with the next sync, or when the server asks.
            case .written(let position):
                written = position ?? written
                return wasStalled
            case .synced(let durable, let settled, let finished):
                synced = durable
                self.settled = settled
                self.finished += finished
            case .timelineEnded(let next):
                synced = nil
                written = nil
                // A stream that stops here need not wait for the old timeline.
                settled = next
                timelines += 1
            }
            return true
        }
    }

    private let state: Monitor<State>
    private let destination: any WALDestination
    private let pool: BlockPool
    /// Raised when the report has changed.
    let progress = Interrupt()
    /// Talks to the server while a sync blocks the network thread; the writer thread has the time for it.
    let statusRepeater = StatusRepeater()

    /// Pieces end at multiples of this size, so that a piece that fills a block can be written past the page cache.
    package static let blockSize = 1 << 20
    private static let retryPause = Duration.milliseconds(500)
    /// - Parameters:
    ///   - blocks: The number of 1 MB blocks that it may hold. WAL has its own blocks, so that base data on a slow disk
    ///     cannot starve it into wal_sender_timeout.
    ///   - noteSync: Told on either thread how long each sync took, with the write that was part of it.
    package init(
        destination: any WALDestination, blocks: Int = 4, noteSync: (@Sendable (Duration) -> Void)? = nil
    ) {
        self.destination = destination
        state = Monitor(State(sequence: WriteSequence(destination, noteSync: noteSync)))
        pool = BlockPool(blocks: blocks, blockSize: Self.blockSize)
    }

    package func start() throws(FileIOError) -> OwnThread {
        let thread = try OwnThread("wal writer") { self.run() }
        destination.progress?.attach { [weak self] in self?.syncAgain() }
        return thread
    }

    // MARK: - For the network thread

    func takeBlock(timeout: Duration) throws(ReceiveError) -> Block? {
        do throws(FileIOError) { return try pool.take(timeout: timeout) } catch {
            throw ReceiveError(WALDestinationError(error))
        }
    }

    func write(_ piece: Piece) {
        state.update { $0.jobs.append(.write(piece)) }
    }

    /// Queues a sync of everything handed over so far, and of a last piece.
    func sync(after piece: Piece? = nil) {
        state.update { state in
            if let piece { state.jobs.append(.write(piece)) }
            state.jobs.append(.sync)
        }
    }

    /// Like ``sync(after:)``, but done on return if the writer is idle and there is little to sync.
    ///
    /// - Returns: Whether the network thread must read the report now.
    func syncAtOnce(after piece: Piece?) -> Bool {
        let idle = state.change { state -> WriteSequence? in
            let size = (state.sequence?.unsynced ?? 0) + (piece?.block.count ?? 0)
            guard state.jobs.isEmpty, state.report.failure == nil, size <= Self.blockSize else { return nil }
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
        }
    }

    package func putHistory(_ timeline: TimelineID, _ bytes: [UInt8]) {
        state.update { $0.jobs.append(.history(timeline, bytes)) }
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
        state.update { $0.jobs.append(.suspend(position)) }
    }

    /// Marks the end of the jobs: the thread ends when the last one is done, or cannot be done for lack of room.
    package func close() {
        destination.progress?.detach()
        state.update { $0.isClosed = true }
    }

    /// What has happened so far; `finished` covers the time since the last call.
    package func report() -> Report {
        state.change { state in
            defer { state.report.finished = [] }
            return state.report
        }
    }

    // MARK: - On either thread

    /// Performs the jobs in order, and then stores `sequence` again. If a job fails for lack of room, it and the rest are
    /// put back at the front of the queue.
    ///
    /// - Returns: Whether the network thread must read the report now.
    private func perform(_ jobs: [WriteSequence.Job], _ sequence: inout WriteSequence) -> Bool {
        var mustRead = false
        for (index, job) in jobs.enumerated() {
            do throws(WALDestinationError) {
                let isLast = index == jobs.count - 1
                let outcome = try sequence.perform(job, isBeforeSync: !isLast && jobs[index + 1].isSync)
                if case .write(let piece) = job { pool.give(back: piece.block) }
                let mustBeRead = state.change { [sequence] state in
                    if isLast { state.sequence = sequence }
                    return state.report.note(outcome)
                }
                mustRead = mustRead || mustBeRead
            } catch {
                state.update { [sequence] state in
                    if error.isTemporary {
                        state.report.stall = error
                        state.jobs.insert(contentsOf: jobs[index...], at: 0)
                        state.sequence = sequence
                    } else {
                        state.report.failure = state.report.failure ?? error
                    }
                }
                return true
            }
        }
        return mustRead
    }

    // MARK: - On the writer thread

    private func run() {
        while let (job, next) = nextJob() {
            var sequence = next
            if perform([job], &sequence) { progress.raise() }
            guard let stall = state.read({ $0.report.stall }) else { continue }
            // Retries until there is room, or until the writer is closed.
            if state.wait(timeout: Self.retryPause, until: { $0.isClosed ? true : nil }) ?? false {
                fail(stall)
            }
        }
        guard let sequence = state.change({ $0.report.failure == nil ? $0.sequence.take() : nil }) else { return }
        do throws(WALDestinationError) {
            try destination.suspend()
            state.change { $0.report.finished += sequence.finished }
            progress.raise()
        } catch { fail(error) }
    }

    private func fail(_ error: WALDestinationError) {
        state.change { $0.report.failure = $0.report.failure ?? error }
        progress.raise()
    }

    /// The next job, with the sequence; nil if there will be none.
    private func nextJob() -> (WriteSequence.Job, WriteSequence)? {
        while true {
            let next = state.wait(timeout: StatusRepeater.interval) { state -> (WriteSequence.Job, WriteSequence)?? in
                if state.report.failure != nil { return .some(nil) }
                guard let sequence = state.sequence else { return nil }
                while let job = state.jobs.first {
                    state.jobs.removeFirst()
                    if case .sync = job, Self.isSyncedLater(state.jobs) { continue }
                    state.sequence = nil
                    return (job, sequence)
                }
                return state.isClosed ? .some(nil) : nil
            }
            if let next { return next }
            statusRepeater.sendIfDue()
        }
    }

    /// Whether a later sync covers this one. A sync after the end of the timeline does not: it reports nothing about
    /// this timeline any more.
    private static func isSyncedLater(_ rest: [WriteSequence.Job]) -> Bool {
        for job in rest {
            switch job {
            case .sync: return true
            case .suspend: return false
            case .write, .history: continue
            }
        }
        return false
    }
}
