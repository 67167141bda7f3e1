import Testing
import UnderstudyTestSupport

@testable import UnderstudyPlatform

@Suite("Blocks")
struct BlockTests {
    @Test("a block takes what it has room for, and gives it back in order")
    func fill() throws {
        let block = try Block(capacity: 4096)
        let content = [UInt8].pattern(5000)
        #expect(block.append(content.raw.extracting(..<10)) == 10)
        #expect(block.append(content.raw.extracting(10...)) == 4086)
        #expect(block.append(content.raw) == 0)
        #expect(block.room == 0)
        #expect(
            (0..<4096).allSatisfy { unsafe block.bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) == content[$0] })
        block.clear()
        #expect(block.count == 0)
        #expect(block.bytes.byteCount == 0)
    }

    @Test("a block's memory is aligned for direct writes")
    func alignment() throws {
        for capacity in [4096, 1 << 20] {
            let block = try Block(capacity: capacity)
            _ = block.append([1].raw)
            let address = unsafe block.bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
            #expect(address % UInt(Block.alignment) == 0)
        }
    }

    @Test("a pool hands out no more blocks than it has, and each again once it is back")
    func bounded() throws {
        let pool = BlockPool(blocks: 3, blockSize: 4096)
        let blocks = try (0..<3).map { _ in try #require(try pool.take(timeout: .zero)) }
        #expect(Set(blocks.map(ObjectIdentifier.init)).count == 3)
        #expect(try pool.take(timeout: .zero) == nil)
        _ = blocks[1].append([1, 2, 3].raw)
        pool.give(back: blocks[1])
        let again = try #require(try pool.take(timeout: .zero))
        #expect(again === blocks[1])
        #expect(again.count == 0)
        #expect(try pool.take(timeout: .zero) == nil)
    }

    @Test("a block that is given back wakes who waits for one")
    func waits() throws {
        let pool = BlockPool(blocks: 1, blockSize: 4096)
        let block = try #require(try pool.take())
        let got = Locked<Block?>(nil)
        let waiter = try OwnThread("waiter") {
            let block = try? pool.take()
            got.withLock { $0 = block }
        }
        pool.give(back: block)
        waiter.join()
        #expect(got.withLock { $0 } === block)
    }
}
