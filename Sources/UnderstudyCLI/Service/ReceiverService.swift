import Understudy

/// An archiver with what surrounds it where it runs as a service: the command for finished segments, and the service manager.
struct ReceiverService: Sendable {
    let archiver: WALArchiver
    var hook: SegmentHook?
    var notifier: ServiceNotifier?

    /// Runs the archiver to its end.
    ///
    /// - Parameter executor: Where events are taken up; nil for Swift's own threads.
    func run(_ reporter: ReceiveProgressReporter, on executor: (any TaskExecutor)?) async throws(UnderstudyError) {
        try hook?.start(for: archiver.name)
        // Not a child of this task, so that it also hears what is finished after the run was cancelled.
        let listening = hook.map { hook in
            let events = archiver.events { event in
                if case .segmentFinished(let segment) = event { hook.missed(segment) }
            }
            return Task(executorPreference: executor) {
                for await event in events {
                    if case .segmentFinished(let segment) = event { hook.finished(segment) }
                }
            }
        }
        var failure: UnderstudyError?
        do throws(UnderstudyError) { try await watch(reporter) } catch { failure = error }
        await listening?.value
        // After that one there is another attempt.
        if failure?.code != .passwordNeeded { notifier?.stopping(isDone: failure == nil) }
        hook?.end()
        if let failure { throw failure }
    }

    private func watch(_ reporter: ReceiveProgressReporter) async throws(UnderstudyError) {
        var reporter = reporter
        if let notifier {
            reporter.also = { [archiver] status, time in
                notifier.note(status, pulse: archiver.pulse, at: time)
            }
        }
        try await reporter.show({ [archiver] in archiver.status }) { () throws(UnderstudyError) in
            do {
                try await withTaskCancellationHandler {
                    try await archiver.run()
                } onCancel: {
                    notifier?.stopping()
                }
            } catch let error as UnderstudyError {
                throw error
            } catch {
                throw UnderstudyError(.wal, "\(error)", cause: error)
            }
        }
    }
}
