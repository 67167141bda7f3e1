import UnderstudyCore
import UnderstudyPlatform

/// Keeps several connections together below a rate.
final class RatePacer: Sendable {
    private let bytesPerSecond: Double
    private let interrupt: Interrupt
    /// When what was taken so far is paid for.
    private let paidAt: Monitor<ContinuousClock.Instant>
    /// How much may come at once after a pause.
    private static let credit = Duration.milliseconds(100)

    init(_ rate: TransferRate, interrupt: Interrupt) {
        bytesPerSecond = Double(rate.kilobytesPerSecond) * 1024
        self.interrupt = interrupt
        paidAt = Monitor(ContinuousClock.now)
    }

    /// Waits until these bytes may have come.
    func pace(_ count: Int) {
        let now = ContinuousClock.now
        let end = paidAt.change { paidAt in
            paidAt = max(paidAt, now - Self.credit) + .seconds(Double(count) / bytesPerSecond)
            return paidAt
        }
        if end > now { _ = Interrupt.wait(socket: -1, events: 0, interrupts: [interrupt], timeout: end - now) }
    }
}
