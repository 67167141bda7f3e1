import Synchronization
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming

/// Keeps several connections together below a rate.
final class RatePacer: Sendable {
    private let limit: Monitor<RateLimit>
    private let began = ContinuousClock.now
    private let interrupt: Interrupt
    private let hasPaused = Atomic(false)

    init(_ rate: TransferRate, interrupt: Interrupt) {
        limit = Monitor(RateLimit(bytesPerSecond: UInt64(rate.kilobytesPerSecond) * 1024, now: .zero))
        self.interrupt = interrupt
    }

    /// Waits until these bytes may have come.
    func pace(_ count: Int) {
        let pause = limit.change { limit in
            let now = ContinuousClock.now - began
            limit.take(count, now: now)
            return limit.pause(now: now)
        }
        guard pause > .zero else { return }
        hasPaused.store(true, ordering: .relaxed)
        _ = Interrupt.wait(socket: -1, events: 0, interrupts: [interrupt], timeout: pause)
    }

    /// Whether the rate was reached.
    var hasHeldBack: Bool { hasPaused.load(ordering: .relaxed) }
}
