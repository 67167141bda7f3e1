import Testing
import UnderstudyTestSupport

@testable import UnderstudyPlatform

@Suite("Blocks that are shared")
struct BlockBankTests {
    private final class Place: Sendable {}

    private func bank(_ blocks: Int, blockSize: Int = 4096) -> BlockBank {
        BlockBank(blocks: blocks, blockSize: blockSize, timers: Timers())
    }

    /// Takes as many as it gets.
    private func drain(_ share: BlockShare) throws -> [Block] {
        var blocks: [Block] = []
        while let block = try share.take(timeout: .zero) { blocks.append(block) }
        return blocks
    }

    @Test("one stream has as many as it may hold, and each again once it is back, empty")
    func single() throws {
        let share = BlockShare(bank(100), group: Place(), limit: 16)
        let blocks = try drain(share)
        #expect(Set(blocks.map(ObjectIdentifier.init)).count == 16)
        _ = blocks[3].append([1, 2, 3].raw)
        share.give(back: blocks[3])
        let again = try #require(try share.take(timeout: .zero))
        #expect(again === blocks[3] && again.count == 0)
        #expect(try share.take(timeout: .zero) == nil)
    }

    @Test("all together have no more than there are")
    func total() throws {
        let bank = bank(40), place = Place()
        let shares = (0..<10).map { _ in BlockShare(bank, group: place, limit: 16) }
        let blocks = try shares.map { try drain($0) }
        #expect(blocks.map(\.count) == [16, 16, 8, 0, 0, 0, 0, 0, 0, 0])
        #expect(bank.blockCount == 40)
    }

    @Test("a block goes to who waits with the fewest, though another waits longer")
    func fair() throws {
        let bank = bank(8), place = Place()
        let rich = BlockShare(bank, group: place, limit: 16), poor = BlockShare(bank, group: place, limit: 16)
        let blocks = try drain(rich)
        let got = Monitor<[String]>([])
        func wait(_ share: BlockShare, _ name: String, waiters: Int) throws -> OwnThread {
            let thread = try OwnThread("waiter") {
                if (try? share.take()) ?? nil != nil { got.update { $0.append(name) } }
            }
            try eventually("a waiter") { bank.waiterCount == waiters }
            return thread
        }
        let first = try wait(rich, "rich", waiters: 1)
        let second = try wait(poor, "poor", waiters: 2)
        rich.give(back: blocks[0])
        second.join()
        #expect(got.read { $0 } == ["poor"])
        rich.give(back: blocks[1])
        first.join()
        #expect(got.read { $0 } == ["poor", "rich"])
    }

    @Test("a place that hangs keeps no more than its part, and a new place can begin though all are in use")
    func places() throws {
        let bank = bank(12)
        let hung = Place(), other = Place(), third = Place()
        let hanging = BlockShare(bank, group: hung, limit: 16)
        let first = try drain(hanging)
        #expect(first.count == 12)
        // Beyond the total, but it begins.
        let late = BlockShare(bank, group: other, limit: 16)
        let few = try drain(late)
        #expect(few.count == 2)
        // What comes back is not for who has more than its part.
        hanging.give(back: first[0])
        hanging.give(back: first[1])
        hanging.give(back: first[2])
        #expect(try hanging.take(timeout: .zero) == nil)
        #expect(try drain(late).count == 1)
        let last = BlockShare(bank, group: third, limit: 16)
        #expect(try drain(last).count == 2)
        for block in few { late.give(back: block) }
        #expect(bank.blockCount <= 14)
    }

    @Test("what a stream that ends still holds is free for others")
    func leave() throws {
        let bank = bank(4), place = Place()
        let other = BlockShare(bank, group: place, limit: 16)
        do {
            let share = BlockShare(bank, group: place, limit: 16)
            #expect(try drain(share).count == 4)
            #expect(try other.take(timeout: .zero) == nil)
        }
        #expect(try drain(other).count == 4)
    }

    @Test("blocks that nobody has needed between two looks go back to the system")
    func trim() throws {
        let bank = bank(16)
        let share = BlockShare(bank, group: Place(), limit: 16)
        for block in try drain(share) { share.give(back: block) }
        #expect(bank.blockCount == 16)
        bank.trim()
        let used = try (0..<3).map { _ in try #require(try share.take(timeout: .zero)) }
        for block in used { share.give(back: block) }
        #expect(bank.blockCount == 16)
        bank.trim()
        #expect(bank.blockCount == 3)
        bank.trim()
        #expect(bank.blockCount == 0)
        #expect(try drain(share).count == 16)
    }

    @Test("if memory runs out, those that there are go round; without any, it is an error")
    func noMemory() throws {
        let share = BlockShare(bank(4, blockSize: 1 << 50), group: Place(), limit: 4)
        #expect(throws: FileIOError.self) { try share.take(timeout: .zero) }
        #expect(throws: FileIOError.self) { try share.take(timeout: .zero) }
    }
}
