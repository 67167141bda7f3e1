import Understudy
import UnderstudyPlatform

/// Cancels work when a signal arrives, and lets it end in order.
enum Interruption {
    /// What the work does after a signal, which determines the messages.
    enum Ending: Sendable {
        /// The work removes what it made.
        case cleaningUp
        /// The work completes what it received. As with the stock tool, this is reported only with `-v`.
        case finishing

        fileprivate func tell(of signal: EndingSignal, isFirst: Bool, on console: Console) {
            let facts = MessageFacts(.stopping, [("signal", .string("\(signal)"))])
            switch (self, isFirst) {
            case (.cleaningUp, true): console.notice("received \(signal), cleaning up", facts: facts)
            case (.cleaningUp, false):
                console.notice("received \(signal), still cleaning up; one more ends it at once", facts: facts)
            case (.finishing, true): console.info("received interrupt signal, exiting", facts: facts)
            case (.finishing, false):
                console.notice("received \(signal), still finishing; one more ends it at once", facts: facts)
            }
        }
    }

    private static let mostSignals = 3
    /// After this time, a user who saw no message for the first signal is told that the work is still finishing.
    static let silenceLimit = Duration.seconds(3)

    /// Runs `operation`. The first signal cancels it, the second prints that the work is still ending, and the third
    /// ends the process: library code that computes or waits may not react to anything else.
    ///
    /// - Parameters:
    ///   - reminder: How long the end may take without a message.
    ///   - executor: Runs the operation; nil for Swift's own threads.
    ///   - endAtOnce: Reports what is left, and ends the process.
    static func watch<Result: Sendable>(
        _ signals: SignalFeed, console: Console, ending: Ending = .cleaningUp, reminder: Duration = silenceLimit,
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
                // Throws if the work ended first.
                guard (try? await Task.sleep(for: reminder)) != nil, first.read({ $0.count }) == 1 else { return }
                console.notice(
                    "received \(signal), still finishing; two more end it at once",
                    facts: MessageFacts(.stopping, [("signal", .string("\(signal)"))]))
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
