/// How many bytes may be taken so that a rate is kept: a bucket that fills with time.
///
/// Pure: time is given to it. Up to a second's worth may come at once.
package struct RateLimit: Sendable {
    private let bytesPerSecond: Double
    /// Negative while what was taken is ahead of its time.
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

    /// How long to wait before more is taken; zero if it may be now.
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
