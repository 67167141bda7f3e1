import UnderstudyConnection
import UnderstudyPlatform
import UnderstudyProtocol

/// Sends the last status update again while the network thread is busy with a sync, so that no disk is too slow for the
/// server's wal_sender_timeout.
///
/// The network thread lends its session for the time of the sync and does not continue before a status that is on its way
/// is sent: a libpq connection has one user at a time.
final class StatusRepeater: Sendable {
    /// How often the timer looks. The server hears nothing for at most one and a half times as long.
    static let interval = ReceiveMachine.Policy.usualQuietLimit

    private struct Loan {
        var sender: any StatusSender
        var status: StandbyStatus
        var began: ContinuousClock.Instant
    }

    private struct State {
        var loan: Loan?
        var isSending = false
    }

    private let state = Monitor(State())
    private let clock = ContinuousClock()

    /// Runs `body` on the network thread; meanwhile another thread may send `status`.
    func lend<Value>(_ sender: any StatusSender, _ status: StandbyStatus, during body: () -> Value) -> Value {
        let loan = Loan(sender: sender, status: status, began: clock.now)
        state.change { $0.loan = loan }
        defer {
            let isSending = state.change { state in
                state.loan = nil
                return state.isSending
            }
            if isSending { state.wait { $0.isSending ? nil : () } }
        }
        return body()
    }

    /// Sends the status, on the calling thread, if the network thread has been busy for half of the interval. Does not
    /// wait for the server: what the socket does not take stays in libpq's buffer.
    func sendIfDue() {
        let now = clock.now
        let due = state.change { state -> Loan? in
            guard let loan = state.loan, now - loan.began >= Self.interval / 2 else { return nil }
            state.isSending = true
            return loan
        }
        guard let due else { return }
        due.sender.sendLent(due.status)
        state.update { $0.isSending = false }
    }
}

/// Sends a status update while its user waits. If the server is gone, the user notices.
protocol StatusSender: Sendable {
    func sendLent(_ status: StandbyStatus)
}

extension Session: StatusSender {
    func sendLent(_ status: StandbyStatus) {
        whileLent { _ = try? sendStatus(status) }
    }
}
