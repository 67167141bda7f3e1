/// A token bucket that limits the bytes per second.
///
/// Pure: the caller passes the time.
package struct RateLimit: Sendable {
    private let bytesPerSecond: Double
    /// The most that may come at once, after a rest as at the beginning.
    private let burst: Double
    /// Negative while more was taken than the rate allows.
    private var credit: Double
    private var last: Duration

    /// - Parameters:
    ///   - burst: How much of the rate's time may come at once.
    ///   - now: Time since some fixed moment; never goes backwards.
    package init(bytesPerSecond: UInt64, burst: Duration = .seconds(1), now: Duration) {
        self.bytesPerSecond = Double(max(1, bytesPerSecond))
        self.burst = self.bytesPerSecond * (burst / .seconds(1))
        credit = self.burst
        last = now
    }

    package mutating func take(_ bytes: Int, now: Duration) {
        refill(now)
        credit -= Double(bytes)
    }

    /// How long to wait before taking more; zero if there is no need to wait.
    package mutating func pause(now: Duration) -> Duration {
        refill(now)
        return credit >= 0 ? .zero : .seconds(-credit / bytesPerSecond)
    }

    private mutating func refill(_ now: Duration) {
        let (seconds, attoseconds) = (now - last).components
        credit = min(burst, credit + bytesPerSecond * (Double(seconds) + Double(attoseconds) / 1e18))
        last = now
    }
}
