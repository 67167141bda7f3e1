/// A token bucket that limits the bytes per second.
///
/// Pure: the caller passes the time. Allows a burst of up to one second's worth.
package struct RateLimit: Sendable {
    private let bytesPerSecond: Double
    /// Negative while more was taken than the rate allows.
    private var credit: Double
    private var last: Duration

    /// - Parameter now: Time since some fixed moment; never goes backwards.
    package init(bytesPerSecond: UInt64, now: Duration) {
        self.bytesPerSecond = Double(max(1, bytesPerSecond))
        credit = self.bytesPerSecond
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
        credit = min(bytesPerSecond, credit + bytesPerSecond * (Double(seconds) + Double(attoseconds) / 1e18))
        last = now
    }
}
