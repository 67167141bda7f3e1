/// How long to wait before connecting again: from a quarter of a second to five seconds, twice as long each time, and by
/// chance up to a fifth more or less, so that many clients of a server that comes back do not come at once.
package struct Backoff: Sendable {
    package static let first = Duration.milliseconds(250)
    package static let longest = Duration.seconds(5)

    private var next = Self.first

    package init() {}

    /// The stream has run: trouble begins anew.
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
