import Understudy
import UnderstudyFileIO

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
            case (.cleaningUp, false): console.notice("received \(signal), still cleaning up")
            case (.finishing, true): console.info("received interrupt signal, exiting")
            case (.finishing, false): console.notice("received \(signal), still finishing")
            }
        }
    }

    /// Runs `operation`; the first signal cancels it, and each one after that is only told that the end takes its
    /// time. The operation always runs to its own end.
    ///
    /// - Parameter executor: Where the operation runs; nil for Swift's own threads.
    static func watch<Result: Sendable>(
        _ signals: SignalFeed, console: Console, ending: Ending = .cleaningUp, on executor: (any TaskExecutor)? = nil,
        operation: @escaping @Sendable () async throws(UnderstudyError) -> Result
    ) async throws(UnderstudyError) -> Result {
        let work = Task(executorPreference: executor) { () async -> Swift.Result<Result, UnderstudyError> in
            do throws(UnderstudyError) {
                return .success(try await operation())
            } catch {
                return .failure(error)
            }
        }
        let first = Monitor<EndingSignal?>(nil)
        signals.listen { signal in
            let isFirst = first.change { first in
                defer { first = first ?? signal }
                return first == nil
            }
            ending.tell(of: signal, isFirst: isFirst, on: console)
            if isFirst { work.cancel() }
        }
        let result = await work.value
        signals.listen(nil)
        switch result {
        case .success(let value):
            return value
        case .failure(var error):
            if error.code == .cancelled, let signal = first.read({ $0 }) {
                error.message = "interrupted by \(signal): \(error.message)"
            }
            throw error
        }
    }
}
