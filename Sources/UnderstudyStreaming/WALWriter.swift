package import UnderstudyPlatform
package import UnderstudyWAL

/// Hands WAL to a destination: on a thread of its own, or at once on the network thread, where somebody waits for a small
/// piece to be synced and nothing else is under way. Two threads that wake each other for every commit take longer.
package final class WALWriter: Sendable {
    typealias Piece = WriteCourse.Piece

    private struct State {
        var jobs: [WriteCourse.Job] = []
        /// nil while one of the threads does a job.
        var course: WriteCourse?
        /// What the network thread does at the moment.
        var errand: Errand?
        /// Whether the writer thread speaks to the server in place of the network thread.
        var isSpeaking = false
        var isClosed = false
        var report = Report()
    }

    /// The network thread writes, and cannot speak to the server.
    private struct Errand {
        var began: ContinuousClock.Instant
        var speak: @Sendable () -> Void
    }

    /// What the writer has to tell.
    package struct Report: Sendable {
        /// Everything before it is on stable storage, on the timeline that is being written; nil before the first sync.
        var synced: LSN?
        /// Everything before it is in the hands of the operating system, on that timeline; nil if that is not known.
        var written: LSN?
        /// How far everything was written at the last sync, on that timeline; at its beginning, where it begins.
        var settled: LSN?
        /// Grows with each timeline.
        var timelines = 0
        /// Segments that were finished, and synced after that, since the last look.
        package internal(set) var finished: [WALSegmentName] = []
        /// Why nothing is written at the moment, and will be as soon as it can.
        var stall: WALDestinationError?
        package internal(set) var failure: WALDestinationError?

        /// - Returns: Whether that was worth telling.
        fileprivate mutating func note(_ outcome: WriteCourse.Outcome) -> Bool {
            let wasStalled = stall != nil
            stall = nil
            switch outcome {
            case .done: return wasStalled
            // It is told with the next sync, or when the server asks.
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
                // A stream that stops here waits for nothing more of the old timeline.
                settled = next
                timelines += 1
            }
            return true
        }
    }

    private let state: Monitor<State>
    private let destination: any WALDestination
    private let pool: BlockPool
    private let clock = ContinuousClock()
    /// Raised when the report has changed.
    let progress = Interrupt()

    /// Pieces end at multiples of it, so that those which fill a block can be written past the page cache.
    package static let blockSize = 1 << 20
    private static let retryPause = Duration.milliseconds(500)
    /// How often the writer thread looks whether a sync keeps the network thread from speaking to the server, which so
    /// hears nothing for at most one and a half times as long.
    private static let lookInterval = Duration.seconds(2)

    /// - Parameter blocks: How many blocks of 1 MB it may hold. WAL has blocks of its own: base data on a slow disk must
    ///   not starve it into wal_sender_timeout.
    package init(destination: any WALDestination, blocks: Int = 4) {
        self.destination = destination
        state = Monitor(State(course: WriteCourse(destination)))
        pool = BlockPool(blocks: blocks, blockSize: Self.blockSize)
    }

    package func start() throws(FileIOError) -> OwnThread {
        try OwnThread("wal writer") { self.run() }
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

    /// Everything handed over so far is to be synced, and a last piece.
    func sync(after piece: Piece? = nil) {
        state.update { state in
            if let piece { state.jobs.append(.write(piece)) }
            state.jobs.append(.sync)
        }
    }

    /// As ``sync(after:)``; but it is done when this returns, if the writer is idle and it is little.
    ///
    /// - Parameter speak: Tells the server that we live. Called on the writer's thread, again and again, while the disk
    ///   keeps the caller; never after the return.
    /// - Returns: Whether the report has changed.
    func syncAtOnce(after piece: Piece?, speak: @escaping @Sendable () -> Void) -> Bool {
        let errand = Errand(began: clock.now, speak: speak)
        let idle = state.change { state -> WriteCourse? in
            let size = (state.course?.unsynced ?? 0) + (piece?.block.count ?? 0)
            guard state.jobs.isEmpty, state.report.failure == nil, size <= Self.blockSize,
                let course = state.course.take()
            else { return nil }
            // Only now: what is left here is done by the writer thread again and again.
            state.errand = errand
            return course
        }
        guard var course = idle else {
            sync(after: piece)
            return false
        }
        let jobs: [WriteCourse.Job] = (piece.map { [.write($0)] } ?? []) + [.sync]
        defer {
            let isSpeaking = state.change { state in
                state.errand = nil
                return state.isSpeaking
            }
            if isSpeaking { state.wait { $0.isSpeaking ? nil : () } }
        }
        return perform(jobs, &course)
    }

    package func putHistory(_ timeline: TimelineID, _ bytes: [UInt8]) {
        state.update { $0.jobs.append(.history(timeline, bytes)) }
    }

    /// Waits until the histories that were handed over are being written, all but a few.
    ///
    /// - Returns: False if that takes longer.
    func awaitHistories(timeout: Duration) -> Bool {
        state.wait(timeout: timeout) { state in
            state.jobs.count(where: \.isHistory) < Self.mostHistories ? true : nil
        } ?? false
    }

    private static let mostHistories = 2

    /// The timeline ends here: what is reported from now on is of the next one, which begins at this position.
    func endTimeline(next position: LSN) {
        state.update { $0.jobs.append(.suspend(position)) }
    }

    /// No more jobs come; the thread ends when the last one is done, or cannot be done for want of room.
    package func close() {
        state.update { $0.isClosed = true }
    }

    /// What has happened; `finished` since the last call.
    package func report() -> Report {
        state.change { state in
            defer { state.report.finished = [] }
            return state.report
        }
    }

    /// Whether the writer thread may have to speak to the server in place of the network thread.
    var hasErrand: Bool { state.read { $0.errand != nil } }

    // MARK: - On either thread

    /// Does the jobs one after the other, and gives the course back. What fails for want of room is the next job again,
    /// and what follows comes after it.
    ///
    /// - Returns: Whether the report has changed.
    private func perform(_ jobs: [WriteCourse.Job], _ course: inout WriteCourse) -> Bool {
        var isNews = false
        for (index, job) in jobs.enumerated() {
            do throws(WALDestinationError) {
                let isLast = index == jobs.count - 1
                let outcome = try course.perform(job, isBeforeSync: !isLast && jobs[index + 1].isSync)
                if case .write(let piece) = job { pool.give(back: piece.block) }
                let isWorthTelling = state.change { [course] state in
                    if isLast { state.course = course }
                    return state.report.note(outcome)
                }
                isNews = isNews || isWorthTelling
            } catch {
                state.update { [course] state in
                    if error.isTemporary {
                        state.report.stall = error
                        state.jobs.insert(contentsOf: jobs[index...], at: 0)
                        state.course = course
                    } else {
                        state.report.failure = state.report.failure ?? error
                    }
                }
                return true
            }
        }
        return isNews
    }

    // MARK: - On the writer thread

    private func run() {
        while let (job, next) = nextJob() {
            var course = next
            if perform([job], &course) { progress.raise() }
            guard let stall = state.read({ $0.report.stall }) else { continue }
            // Repeats it until there is room, or nobody waits for it any more.
            if state.wait(timeout: Self.retryPause, until: { $0.isClosed ? true : nil }) ?? false {
                fail(stall)
            }
        }
        guard let course = state.change({ $0.report.failure == nil ? $0.course.take() : nil }) else { return }
        do throws(WALDestinationError) {
            try destination.suspend()
            state.change { $0.report.finished += course.finished }
            progress.raise()
        } catch { fail(error) }
    }

    private func fail(_ error: WALDestinationError) {
        state.change { $0.report.failure = $0.report.failure ?? error }
        progress.raise()
    }

    /// The next job with the course; nil when there will be none.
    private func nextJob() -> (WriteCourse.Job, WriteCourse)? {
        while true {
            let next = state.wait(timeout: Self.lookInterval) { state -> (WriteCourse.Job, WriteCourse)?? in
                if state.report.failure != nil { return .some(nil) }
                guard let course = state.course else { return nil }
                while let job = state.jobs.first {
                    state.jobs.removeFirst()
                    if case .sync = job, Self.isSyncedLater(state.jobs) { continue }
                    state.course = nil
                    return (job, course)
                }
                return state.isClosed ? .some(nil) : nil
            }
            if let next { return next }
            speakInstead()
        }
    }

    /// Whether a sync can be left out: syncs that were asked for meanwhile are one. Not over the end of a timeline, behind
    /// which nothing is told of it any more.
    private static func isSyncedLater(_ rest: [WriteCourse.Job]) -> Bool {
        for job in rest {
            switch job {
            case .sync: return true
            case .suspend: return false
            case .write, .history: continue
            }
        }
        return false
    }

    /// The server hears from us although the disk keeps the network thread.
    private func speakInstead() {
        let now = clock.now
        let speak = state.change { state -> (@Sendable () -> Void)? in
            guard let errand = state.errand, now - errand.began >= Self.lookInterval / 2 else { return nil }
            state.isSpeaking = true
            return errand.speak
        }
        guard let speak else { return }
        speak()
        state.update { $0.isSpeaking = false }
    }
}
