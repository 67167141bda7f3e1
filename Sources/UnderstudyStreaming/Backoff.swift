/// How long to wait before connecting again: a quarter of a second at first, doubling up to five seconds. Each wait is
/// randomly up to a fifth shorter or longer, so that many clients do not connect at once when their server returns.
package struct Backoff: Sendable {
    package static let first = Duration.milliseconds(250)
    package static let longest = Duration.seconds(5)

    private var next = Self.first

    package init() {}

    /// Starts over with the shortest wait, after the stream has run.
    package mutating func reset() {
        next = Self.first
    }

    package mutating func pause(using random: inout some RandomNumberGenerator) -> Duration {
        let pause = next
        next = min(Self.longest, next * 2)
        return .milliseconds(Int64(Double(pause.milliseconds) * Double.random(in: 0.8...1.2, using: &random)))
    }
}

extension Duration {
    fileprivate var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
