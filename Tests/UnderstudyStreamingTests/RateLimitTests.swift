import Testing

@testable import UnderstudyStreaming

@Suite("The rate limit")
struct RateLimitTests {
    private static let rates: [UInt64] = [32 << 10, 1_000_000, 1 << 30]

    @Test("is kept over time, whatever the sizes of what comes", arguments: rates, [1, 8192, 131_072])
    func rate(_ bytesPerSecond: UInt64, _ size: Int) {
        var limit = RateLimit(bytesPerSecond: bytesPerSecond, now: .zero)
        var now = Duration.zero, taken = 0
        for _ in 0..<10_000 {
            now += limit.pause(now: now)
            // Whoever waits as told does not have to wait any more.
            #expect(limit.pause(now: now) < .microseconds(1))
            limit.take(size, now: now)
            taken += size
            // One second's worth at once, and the last piece that began before it was used up.
            let most = Double(bytesPerSecond) * (now.seconds + 1) + Double(size)
            #expect(Double(taken) <= most * 1.000_001)
        }
        // And no less than the rate, once the burst is used up.
        #expect(Double(taken) >= Double(bytesPerSecond) * now.seconds * 0.999_999)
    }

    @Test(
        "lets a second's worth come at once, and no more after a long rest",
        arguments: [.zero, .seconds(3600)] as [Duration])
    func burst(_ rest: Duration) {
        var limit = RateLimit(bytesPerSecond: 1000, now: .zero)
        #expect(limit.pause(now: rest) == .zero)
        limit.take(1000, now: rest)
        #expect(limit.pause(now: rest) == .zero)
        limit.take(1, now: rest)
        #expect(limit.pause(now: rest) == .milliseconds(1))
    }

    @Test("of which little may come at once is kept by all who take, from the beginning on and after a rest")
    func smallBurst() {
        let rate: UInt64 = 1_000_000, size = 65_536, takers = 8
        var limit = RateLimit(bytesPerSecond: rate, burst: .milliseconds(100), now: .zero)
        // When each may take again.
        var times = Array(repeating: Duration.zero, count: takers), taken = 0
        for rest in [Duration.zero, .seconds(3600)] {
            let start = times.max()! + rest
            times = times.map { max($0, start) }
            let before = taken
            for _ in 0..<1000 {
                let next = times.indices.min { times[$0] < times[$1] }!, now = times[next]
                limit.take(size, now: now)
                taken += size
                times[next] = now + limit.pause(now: now)
                // A tenth of a second's worth, and what each had begun before it was told to wait.
                let most = Double(rate) * ((now - start).seconds + 0.1) + Double(size * takers)
                #expect(Double(taken - before) <= most * 1.000_001)
            }
            #expect(Double(taken - before) >= Double(rate) * (times.min()! - start).seconds * 0.999_999)
        }
    }

    @Test("makes the pause as long as what was taken is ahead of its time")
    func pauses() {
        var limit = RateLimit(bytesPerSecond: 1000, now: .seconds(7))
        limit.take(3000, now: .seconds(7))
        #expect(limit.pause(now: .seconds(7)) == .seconds(2))
        #expect(limit.pause(now: .seconds(8)) == .seconds(1))
        #expect(limit.pause(now: .milliseconds(8500)) == .milliseconds(500))
        #expect(limit.pause(now: .seconds(9)) == .zero)
        // What has passed since counts for the next piece.
        limit.take(500, now: .milliseconds(9500))
        #expect(limit.pause(now: .milliseconds(9500)) == .zero)
        limit.take(250, now: .milliseconds(9500))
        #expect(limit.pause(now: .milliseconds(9500)) == .milliseconds(250))
    }

    @Test("does not count the same time twice")
    func time() {
        var limit = RateLimit(bytesPerSecond: 1000, now: .zero)
        limit.take(2000, now: .zero)
        for _ in 0..<10 { #expect(limit.pause(now: .milliseconds(400)) == .milliseconds(600)) }
    }
}

extension Duration {
    fileprivate var seconds: Double { self / .seconds(1) }
}
