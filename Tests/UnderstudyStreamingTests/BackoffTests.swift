import Testing
import UnderstudyTestSupport

@testable import UnderstudyStreaming

@Suite("The time before the next connection")
struct BackoffTests {
    /// Always the same number: near the least or the greatest of a range, or its middle. With zero itself the standard
    /// library would draw again and again.
    private struct Constant: RandomNumberGenerator {
        var number: UInt64
        func next() -> UInt64 { number }
    }

    private static let nominal: [Duration] = [
        .milliseconds(250), .milliseconds(500), .seconds(1), .seconds(2), .seconds(4), .seconds(5), .seconds(5),
        .seconds(5),
    ]

    @Test("is a quarter of a second at first, then twice as long each time, up to five seconds")
    func grows() {
        var backoff = Backoff()
        var middle = Constant(number: 1 << 63)
        let pauses = Self.nominal.map { _ in backoff.pause(using: &middle) }
        for (pause, nominal) in zip(pauses, Self.nominal) { #expect(abs(pause / nominal - 1) < 0.01) }
    }

    @Test("is up to a fifth shorter or longer by chance", arguments: [(1023, 0.8), (UInt64.max, 1.2)])
    func extremes(_ number: UInt64, _ factor: Double) {
        var backoff = Backoff()
        var random = Constant(number: number)
        for nominal in Self.nominal {
            #expect(abs(backoff.pause(using: &random) / nominal - factor) < 0.01)
        }
    }

    @Test("is spread over all of that, and never beyond it")
    func jitter() {
        var random = SplitMix64(state: 1)
        var shares: [Double] = []
        for _ in 0..<1000 {
            var backoff = Backoff()
            for nominal in Self.nominal { shares.append(backoff.pause(using: &random) / nominal) }
        }
        // Pauses are whole milliseconds.
        #expect(shares.allSatisfy { (0.795...1.2).contains($0) })
        #expect(shares.contains { $0 < 0.85 } && shares.contains { $0 > 1.15 })
        let mean = shares.reduce(0, +) / Double(shares.count)
        #expect(abs(mean - 1) < 0.01)
    }

    @Test("begins anew after a stream that ran", arguments: [1, 3, 20])
    func reset(_ attempts: Int) {
        var backoff = Backoff()
        var middle = Constant(number: 1 << 63)
        let first = backoff.pause(using: &middle)
        for _ in 0..<attempts { _ = backoff.pause(using: &middle) }
        backoff.reset()
        #expect(backoff.pause(using: &middle) == first)
    }
}
