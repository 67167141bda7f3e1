import UnderstudyPlatform
import UnderstudyStreaming

/// Finishes one segment file at a time on another thread while the next one is being written, so that waiting for the
/// disk does not hold up the stream. If there is no thread for it when it is waited for, the caller does the work.
final class SegmentFinisher: Sendable {
    typealias Work = @Sendable () throws(WALDestinationError) -> Void

    private enum State {
        case idle
        /// Whoever comes first does it: a thread, or who waits for it.
        case queued(Work)
        case running
        case failed(WALDestinationError, Work)

        mutating func takeQueued() -> Work? {
            guard case .queued(let work) = self else { return nil }
            self = .running
            return work
        }
    }

    private let state = Monitor(State.idle)
    private let queue: Monitor<HelperQueue>

    init(_ lane: HelperLane = HelperPool.shared.lane(.process)) {
        queue = Monitor(HelperQueue(lane))
    }

    /// Uses the threads of this lane from now on.
    func use(_ lane: HelperLane) {
        // What the queue before still has finds nothing to do.
        queue.change { queue in
            if queue.lane !== lane { queue = HelperQueue(lane) }
        }
    }

    /// Whether a segment may still be unfinished.
    var isBusy: Bool {
        state.read { if case .idle = $0 { false } else { true } }
    }

    /// Starts to finish a segment. The caller must have waited for the previous one.
    ///
    /// - Parameter work: Repeated after a temporary error.
    func start(_ work: @escaping Work) {
        state.update { $0 = .queued(work) }
        let state = state
        let finish = {
            @Sendable in
            if let work = state.change({ $0.takeQueued() }) { Self.perform(work, state) }
        }
        if !queue.read({ $0 }).perform(finish) { finish() }
    }

    private static func perform(_ work: @escaping Work, _ state: Monitor<State>) {
        do throws(WALDestinationError) {
            try work()
            state.update { $0 = .idle }
        } catch {
            state.update { $0 = .failed(error, work) }
        }
    }

    /// Waits until the segment is finished. Work that failed for lack of room is tried once more.
    func wait() throws(WALDestinationError) {
        // Threads of the pool must not wait for what none of them has begun.
        if let work = state.change({ $0.takeQueued() }) { Self.perform(work, state) }
        let failure = state.wait { state -> (WALDestinationError, Work)?? in
            switch state {
            case .idle: .some(nil)
            case .queued, .running: nil
            case .failed(let error, let work): .some((error, work))
            }
        }
        guard let (error, work) = failure ?? nil else { return }
        guard error.isTemporary else { throw error }
        try work()
        state.update { $0 = .idle }
    }

    /// Gives up what could not be finished. Nothing may be running.
    func forget() {
        state.update { $0 = .idle }
    }
}
