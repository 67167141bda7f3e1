import Testing
import UnderstudyTestSupport

@testable import UnderstudyBackup

@Suite("How many connections copy, where that is chosen")
struct ConnectionGrowthTests {
    /// A copy whose rate depends on how many connections there are, in MiB per second.
    private struct Copy {
        var growth: ConnectionGrowth
        var time = Duration.zero
        var bytes = 0.0
        /// Those that are open.
        var copying: Int
        private(set) var steps: [Int] = []

        init(from first: Int = 4, to most: Int = 16) {
            growth = ConnectionGrowth(from: first, to: most)
            copying = first
        }

        /// Looks ten times a second.
        mutating func run(_ seconds: Int, isHeldBack: Bool = false, _ rate: (Int) -> Double) {
            for _ in 0..<seconds * 10 {
                time += .milliseconds(100)
                bytes += rate(copying) * 1024 * 1024 / 10
                let more = growth.note(bytes: UInt64(bytes), at: time, copying: copying, isHeldBack: isHeldBack)
                if more > 0 { steps.append(more) }
                copying += more
            }
        }
    }

    @Test("are added while each brings as much as those before, up to the most")
    func linear() {
        var copy = Copy()
        copy.run(60) { Double($0) * 25 }
        #expect(copy.steps == [2, 3, 4, 3])
        #expect(copy.growth.count == 16)
        #expect(copy.growth.isSettled)
    }

    @Test("are not added after a step that brought nothing", arguments: [(2, 6), (5, 9), (6, 9), (8, 13), (9, 13)])
    func saturated(_ useful: Int, _ count: Int) {
        var copy = Copy()
        copy.run(60) { Double(min($0, useful)) * 100 }
        #expect(copy.growth.count == count)
        #expect(copy.growth.isSettled)
    }

    @Test("are as many with an uneven pace", arguments: 0..<20)
    func uneven(_ seed: UInt64) {
        var copy = Copy(), random = SplitMix64(state: seed)
        copy.run(120) { Double(min($0, 6)) * 100 * Double.random(in: 0.7...1.3, using: &random) }
        // With such noise a step too many may seem to bring something, but no series of them.
        #expect((6...13).contains(copy.growth.count))
        #expect(copy.growth.isSettled)
    }

    @Test("one bad moment after a step does not end it")
    func hiccup() {
        var copy = Copy()
        copy.run(1) { Double($0) * 25 }
        #expect(copy.steps == [2])
        copy.run(1) { _ in 33 }
        copy.run(60) { Double($0) * 25 }
        #expect(copy.growth.count == 16)
    }

    @Test("are not judged before there are enough bytes, however long it takes")
    func slow() {
        var copy = Copy()
        copy.run(20) { _ in 1 }
        #expect(copy.steps == [])
        #expect(!copy.growth.isSettled)
        copy.run(60) { Double($0) * 0.25 }
        #expect(copy.steps.first == 2)
    }

    @Test("none is added at the rate that may not be exceeded, and none any more")
    func limited() {
        var copy = Copy()
        copy.run(5, isHeldBack: true) { Double($0) * 25 }
        copy.run(5) { Double($0) * 25 }
        #expect(copy.steps == [])
        #expect(copy.growth.isSettled)
    }

    @Test("wait for those that are being opened, and for no more than there are to be")
    func opening() {
        var growth = ConnectionGrowth(from: 4, to: 16)
        var bytes: UInt64 = 0
        func later(_ copying: Int, _ growth: inout ConnectionGrowth) -> Int {
            bytes += 1 << 30
            return growth.note(bytes: bytes, at: .seconds(Int(bytes >> 30)), copying: copying)
        }
        #expect((0..<9).map { _ in later(3, &growth) }.allSatisfy { $0 == 0 })
        #expect((0..<3).map { _ in later(4, &growth) } == [0, 0, 2])
        #expect((0..<9).map { _ in later(4, &growth) }.allSatisfy { $0 == 0 })
        growth.settle()
        #expect(later(6, &growth) == 0)
        #expect(ConnectionGrowth(from: 3, to: 3).isSettled)
    }

    @Test("take no step beyond the most")
    func bounded() {
        var copy = Copy(from: 4, to: 7)
        copy.run(60) { Double($0) * 25 }
        #expect(copy.steps == [2, 1])
    }
}
