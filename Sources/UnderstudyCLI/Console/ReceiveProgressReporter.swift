import Understudy
import UnderstudyPlatform

/// Shows an archiver's status while it works.
struct ReceiveProgressReporter: Sendable {
    /// How often the status is read.
    private static let interval = Duration.milliseconds(250)

    var style: ReceiveProgressWriter.Style
    var console: Console
    var columns: @Sendable () -> Int
    /// Who else looks at the status, with the time since the beginning.
    var also: (@Sendable (WALArchiver.Status, Duration) -> Void)?

    /// Runs `operation`, and shows what `status` returns until the operation returns or throws. If no thread can be
    /// created, only the final status is shown; it is an error if others look.
    func show(
        _ status: @escaping @Sendable () -> WALArchiver.Status,
        during operation: () async throws(UnderstudyError) -> Void
    ) async throws(UnderstudyError) {
        guard style != .none || also != nil else { return try await operation() }
        let isOver = Monitor(false), writer = Monitor(ReceiveProgressWriter(style: style))
        // Continues while the operation finishes after a signal.
        var thread: OwnThread?
        do throws(FileIOError) {
            thread = try OwnThread("progress") { poll(status, writer, until: isOver) }
        } catch {
            if also != nil { throw UnderstudyError(error) }
        }
        do throws(UnderstudyError) {
            try await operation()
        } catch {
            end(thread, isOver)
            console.show(writer.read { $0.end(status(), failed: true, columns: columns()) })
            throw error
        }
        end(thread, isOver)
        console.show(writer.read { $0.end(status(), failed: false, columns: columns()) })
    }

    private func end(_ thread: OwnThread?, _ isOver: Monitor<Bool>) {
        isOver.update { $0 = true }
        thread?.join()
    }

    private func poll(
        _ status: () -> WALArchiver.Status, _ writer: Monitor<ReceiveProgressWriter>, until isOver: Monitor<Bool>
    ) {
        let clock = ContinuousClock(), began = clock.now
        repeat {
            let status = status(), time = clock.now - began
            console.show(writer.change { $0.update(status, at: time, columns: columns()) })
            also?(status, time)
        } while isOver.wait(timeout: Self.interval, until: { $0 ? true : nil }) == nil
    }
}
