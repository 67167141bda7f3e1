import UnderstudyCore

/// Remembers the last error, so that it is logged once and not each time it occurs again; but a reminder follows after a
/// minute, and then each time after twice as long, up to an hour.
struct RepeatedErrorFilter {
    enum Telling: Equatable {
        /// Another error than the last one.
        case new
        /// The error is the same for so long.
        case reminder(after: Duration)
        case nothing
    }

    private var last: String?
    private var began = ContinuousClock().now
    private var toldAt = ContinuousClock().now
    private var interval = Self.first

    private static let first = Duration.seconds(60), longest = Duration.seconds(3600)

    mutating func telling(
        _ error: UnderstudyError, now: ContinuousClock.Instant = ContinuousClock().now
    ) -> Telling {
        guard last == error.message else {
            last = error.message
            (began, toldAt, interval) = (now, now, Self.first)
            return .new
        }
        guard now - toldAt >= interval else { return .nothing }
        toldAt = now
        interval = min(interval * 2, Self.longest)
        return .reminder(after: now - began)
    }

    mutating func reset() { last = nil }
}
