import Glibc
import Understudy
import UnixSignals

/// Ends work in order when a signal asks for it.
enum Interruption {
    /// What work does once a signal has come, and so what is said of it.
    enum Ending: Sendable {
        /// It removes what it made.
        case cleaningUp
        /// It brings what it received to a good end. As with the stock tool, that is only said with `-v`.
        case finishing

        fileprivate func tell(of signal: UnixSignal, isFirst: Bool, on console: Console) {
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
    static func watch<Signals: AsyncSequence & Sendable, Result: Sendable>(
        _ signals: Signals, console: Console, ending: Ending = .cleaningUp,
        operation: @escaping @Sendable () async throws(UnderstudyError) -> Result
    ) async throws(UnderstudyError) -> Result where Signals.Element == UnixSignal, Signals.Failure == Never {
        let work = Task { () async -> Swift.Result<Result, UnderstudyError> in
            do throws(UnderstudyError) {
                return .success(try await operation())
            } catch {
                return .failure(error)
            }
        }
        let (result, signal) = await withTaskGroup(of: UnixSignal?.self) { group in
            group.addTask {
                var first: UnixSignal?
                for await signal in signals {
                    ending.tell(of: signal, isFirst: first == nil, on: console)
                    if first == nil {
                        first = signal
                        work.cancel()
                    }
                }
                return first
            }
            let result = await work.value
            // Ends the sequence of signals.
            group.cancelAll()
            return (result, await group.next() ?? nil)
        }
        switch result {
        case .success(let value):
            return value
        case .failure(var error):
            if error.code == .cancelled, let signal {
                error.message = "interrupted by \(signal): \(error.message)"
            }
            throw error
        }
    }

    /// The signals that end a run: INT and TERM, and HUP unless the program was started to live on (nohup).
    static func signals() async -> UnixSignalsSequence {
        await UnixSignalsSequence(trapping: isIgnored(SIGHUP) ? [.sigint, .sigterm] : [.sigint, .sigterm, .sighup])
    }

    private static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        // Only asks; `action` outlives the call. SIG_IGN is the number 1 in the place of a function's address.
        guard unsafe sigaction(signal, nil, &action) == 0 else { return false }
        return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }
}
