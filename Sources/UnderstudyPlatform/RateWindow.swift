/// The rate of a growing count over about the last five seconds.
package struct RateWindow: Sendable {
    private static let length = Duration.seconds(5)
    private var samples: [(count: UInt64, time: Duration)] = []

    package init() {}

    /// A count below the last one starts over.
    package mutating func add(_ count: UInt64, at time: Duration) {
        if let last = samples.last, count < last.count { samples = [] }
        samples.append((count, time))
        // The oldest sample kept is at the window's edge, or just before it.
        while samples.count > 2, time - samples[1].time >= Self.length { samples.removeFirst() }
    }

    /// The rate per second; nil while the samples cover no time, or less than `shortest`.
    package func perSecond(over shortest: Duration = .zero) -> UInt64? {
        guard let first = samples.first, let last = samples.last, last.time > first.time,
            last.time - first.time >= shortest
        else { return nil }
        return UInt64(Double(last.count - first.count) / ((last.time - first.time) / .seconds(1)))
    }

    /// The time that a further count takes at this rate; nil while the samples cover less than a second, or nothing moves.
    package func time(for count: UInt64) -> Duration? {
        guard let rate = perSecond(over: .seconds(1)), rate > 0 else { return nil }
        // A server may announce any size; a duration is bounded.
        return .seconds(min(Double(count) / Double(rate), 1e12))
    }
}
