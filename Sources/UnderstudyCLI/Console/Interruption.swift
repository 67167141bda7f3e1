import Understudy
import UnderstudyPlatform

/// Ends work in order when a signal asks for it.
enum Interruption {
    /// What work does once a signal has come, and so what is said of it.
    enum Ending: Sendable {
        /// It removes what it made.
        case cleaningUp
        /// It brings what it received to a good end. As with the stock tool, that is only said with `-v`.
        case finishing

        fileprivate func tell(of signal: EndingSignal, isFirst: Bool, on console: Console) {
            switch (self, isFirst) {
            case (.cleaningUp, true): console.notice("received \(signal), cleaning up")
            case (.cleaningUp, false):
                console.notice("received \(signal), still cleaning up; one more ends it at once")
            case (.finishing, true): console.info("received interrupt signal, exiting")
            case (.finishing, false):
                console.notice("received \(signal), still finishing; one more ends it at once")
            }
        }
    }

    private static let mostSignals = 3
    /// After this, whoever heard nothing of the first signal hears that the end takes its time.
    static let patience = Duration.seconds(3)

    /// Runs `operation`; the first signal cancels it, the second one is told that the end takes its time, and the third one
    /// ends the process: what computes or waits in somebody else's code may not hear of anything else.
    ///
    /// - Parameters:
    ///   - reminder: How long an end may take of which nothing was said.
    ///   - executor: Where the operation runs; nil for Swift's own threads.
    ///   - endAtOnce: Says what is left, and ends the process.
    static func watch<Result: Sendable>(
        _ signals: SignalFeed, console: Console, ending: Ending = .cleaningUp, reminder: Duration = patience,
        on executor: (any TaskExecutor)? = nil,
        endAtOnce: @escaping @Sendable (EndingSignal) -> Void = { _ in },
        operation: @escaping @Sendable () async throws(UnderstudyError) -> Result
    ) async throws(UnderstudyError) -> Result {
        let work = Task(executorPreference: executor) { () async -> Swift.Result<Result, UnderstudyError> in
            do throws(UnderstudyError) {
                return .success(try await operation())
            } catch {
                return .failure(error)
            }
        }
        let first = Monitor<(signal: EndingSignal?, count: Int)>((nil, 0))
        let reminding = Monitor<Task<Void, Never>?>(nil)
        signals.listen { signal in
            let count = first.change { first in
                first = (first.signal ?? signal, first.count + 1)
                return first.count
            }
            guard count < mostSignals else { return endAtOnce(signal) }
            ending.tell(of: signal, isFirst: count == 1, on: console)
            guard count == 1 else { return }
            work.cancel()
            guard case .finishing = ending else { return }
            let task = Task {
                // It throws where the end came before.
                guard (try? await Task.sleep(for: reminder)) != nil, first.read({ $0.count }) == 1 else { return }
                console.notice("received \(signal), still finishing; two more end it at once")
            }
            reminding.update { $0 = task }
        }
        let result = await work.value
        signals.listen(nil)
        reminding.read { $0 }?.cancel()
        switch result {
        case .success(let value):
            return value
        case .failure(var error):
            if error.code == .cancelled, let signal = first.read({ $0.signal }) {
                error.message = "interrupted by \(signal): \(error.message)"
            }
            throw error
        }
    }
}
