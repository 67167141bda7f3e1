import Understudy

/// Shows an archiver's status while it works.
struct ReceiveProgressReporter: Sendable {
    /// How often the status is looked at.
    private static let interval = Duration.milliseconds(250)

    var style: ReceiveProgressWriter.Style
    var console: Console
    var columns: @Sendable () -> Int

    /// Runs `operation`, and shows what `status` returns until it ends, however it does.
    func show(
        _ status: @escaping @Sendable () -> WALArchiver.Status,
        during operation: () async throws(UnderstudyError) -> Void
    ) async throws(UnderstudyError) {
        guard style != .none else { return try await operation() }
        // A task of its own: it goes on while the operation finishes after a signal.
        let watch = Task { await poll(status) }
        do throws(UnderstudyError) {
            try await operation()
        } catch {
            watch.cancel()
            console.show(await watch.value.end(status(), failed: true, columns: columns()))
            throw error
        }
        watch.cancel()
        console.show(await watch.value.end(status(), failed: false, columns: columns()))
    }

    private func poll(_ status: () -> WALArchiver.Status) async -> ReceiveProgressWriter {
        var writer = ReceiveProgressWriter(style: style)
        let clock = ContinuousClock(), began = clock.now
        while !Task.isCancelled {
            console.show(writer.update(status(), at: clock.now - began, columns: columns()))
            try? await clock.sleep(for: Self.interval)
        }
        return writer
    }
}
