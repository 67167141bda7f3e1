import UnderstudyPlatform
import UnderstudyStreaming

/// Finishes one segment file at a time on its own thread while the next one is being written, so that waiting for the
/// disk does not hold up the stream. If no thread can be started, the caller does the work.
final class SegmentFinisher: Sendable {
    typealias Work = @Sendable () throws(WALDestinationError) -> Void

    private enum State {
        case idle
        case running
        case failed(WALDestinationError, Work)
    }

    private let state = Monitor(State.idle)
    private let thread: HelperThread

    init(thread: HelperThread = HelperThread("wal finisher")) {
        self.thread = thread
    }

    /// Whether a segment may still be unfinished.
    var isBusy: Bool {
        state.read { if case .idle = $0 { false } else { true } }
    }

    /// Starts to finish a segment. The caller must have waited for the previous one.
    ///
    /// - Parameter work: Repeated after a temporary error.
    func start(_ work: @escaping Work) {
        state.update { $0 = .running }
        let state = state
        let finish: @Sendable () -> Void = {
            do throws(WALDestinationError) {
                try work()
                state.update { $0 = .idle }
            } catch {
                state.update { $0 = .failed(error, work) }
            }
        }
        if !thread.perform(finish) { finish() }
    }

    /// Waits until the segment is finished. Work that failed for lack of room is tried once more.
    func wait() throws(WALDestinationError) {
        let failure = state.wait { state -> (WALDestinationError, Work)?? in
            switch state {
            case .idle: .some(nil)
            case .running: nil
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
