import Glibc
import Understudy
import UnderstudyPlatform

/// Tells the service manager that started this program how it is, if it wants to know.
final class ServiceNotifier: Sendable {
    private struct State {
        var report: ServiceReport
        var isStopping = false
        var hasFailed = false
    }

    private let socket: NotifySocket
    private let console: Console
    private let state: Monitor<State>

    /// - Parameter environment: Gives the value of a variable: NOTIFY_SOCKET, and those of sd_watchdog_enabled(3).
    /// - Returns: nil if nobody wants to know, or if there is no way to tell, which the console is told.
    init?(_ environment: (String) -> String?, console: Console) {
        guard let address = environment("NOTIFY_SOCKET"), !address.isEmpty else { return nil }
        do throws(FileIOError) { socket = try NotifySocket(address) } catch {
            Self.warn(error, console)
            return nil
        }
        state = Monitor(State(report: ServiceReport(watchdog: Self.watchdog(environment))))
        self.console = console
    }

    /// What is meant for another process does not count.
    static func watchdog(_ environment: (String) -> String?, process: Int32 = getpid()) -> Duration? {
        guard let limit = environment("WATCHDOG_USEC").flatMap({ Int64($0) }), limit > 0,
            (environment("WATCHDOG_PID") ?? "\(process)") == "\(process)"
        else { return nil }
        return .microseconds(limit)
    }

    /// - Parameter time: The time since a fixed moment.
    func note(_ status: WALArchiver.Status, pulse: () -> UInt64, at time: Duration) {
        // Sent under the lock, so that all is in order.
        state.change { state in
            guard !state.isStopping else { return }
            let pulse = state.report.needsPulse ? pulse() : 0
            guard let text = state.report.update(status, pulse: pulse, at: time) else { return }
            send(text, &state)
        }
    }

    /// The run is to end, or has ended.
    ///
    /// - Parameter isDone: Whether it has, without an error.
    func stopping(isDone: Bool = false) {
        state.change { state in
            guard !state.isStopping else { return }
            state.isStopping = true
            send(state.report.end(isDone: isDone), &state)
        }
    }

    private func send(_ text: String, _ state: inout State) {
        do throws(FileIOError) {
            try socket.send(text)
            state.hasFailed = false
        } catch {
            guard !state.hasFailed else { return }
            state.hasFailed = true
            Self.warn(error, console)
        }
    }

    private static func warn(_ error: FileIOError, _ console: Console) {
        console.warning(
            "\(error)", detail: "The service manager does not hear how the receiver is.",
            facts: MessageFacts(.notifyFailed))
    }
}
