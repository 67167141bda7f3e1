import Testing

@testable import UnderstudyPlatform

@Suite("The rate of a growing count")
struct RateWindowTests {
    @Test("is that of the last seconds")
    func rate() {
        var window = RateWindow()
        #expect(window.perSecond() == nil)
        window.add(0, at: .zero)
        #expect(window.perSecond() == nil)
        #expect(window.time(for: 100) == nil)
        window.add(1000, at: .seconds(1))
        #expect(window.perSecond() == 1000)
        #expect(window.time(for: 5000) == .seconds(5))
        // A burst long ago counts no more.
        for second in 2...20 { window.add(1000 + 10 * UInt64(second - 1), at: .seconds(second)) }
        #expect(window.perSecond() == 10)
    }

    @Test("is nothing while no time passes, or nothing moves")
    func standstill() {
        var window = RateWindow()
        window.add(5, at: .seconds(1))
        window.add(10, at: .seconds(1))
        #expect(window.perSecond() == nil)
        window.add(10, at: .seconds(10))
        window.add(10, at: .seconds(20))
        window.add(10, at: .seconds(30))
        #expect(window.perSecond() == 0)
        #expect(window.time(for: 1) == nil)
    }

    @Test(
        "starts over behind a step backwards",
        arguments: [
            ([], nil), ([100], nil), ([100, 200], 100), ([100, 200, 200], 50), ([100, 200, 300, 150], nil),
            ([300, 100, 150], 50), ([1, 1001, 1001, 1001, 1001, 1001, 1001], 0),
            ([1, 1001, 1001, 1001, 1001, 1001], 200),
        ] as [([UInt64], UInt64?)])
    func backwards(counts: [UInt64], expected: UInt64?) {
        var window = RateWindow()
        for (second, count) in counts.enumerated() { window.add(count, at: .seconds(second)) }
        #expect(window.perSecond(over: .seconds(1)) == expected)
    }
}
