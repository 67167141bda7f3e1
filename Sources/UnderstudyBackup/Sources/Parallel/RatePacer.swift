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

    /// How much may come at once: little, since all connections begin at the same time.
    private static let burst = Duration.milliseconds(200)

    init(_ rate: TransferRate, interrupt: Interrupt) {
        limit = Monitor(Self.limit(rate))
        self.interrupt = interrupt
    }

    static func limit(_ rate: TransferRate) -> RateLimit {
        RateLimit(bytesPerSecond: UInt64(rate.kilobytesPerSecond) * 1024, burst: burst, now: .zero)
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
