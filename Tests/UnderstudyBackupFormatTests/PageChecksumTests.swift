import Testing
import UnderstudyBackupFormat
import UnderstudyTestSupport

/// Against the algorithm written down once more, a word at a time. Real pages: `PageChecksumClusterTests`.
@Suite struct PageChecksumTests {
    @Test(arguments: [1024, 2048, 4096, 8192, 16384, 32768])
    func `pages of each size have the checksum that the definition gives`(size: Int) {
        var generator = SplitMix64(state: UInt64(size))
        for block in [0, 1, 131_071, 131_072, .max] as [UInt32] {
            let page = (0..<size).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(PageChecksum.compute(page.rawSpan, block: block) == defined(page, block))
        }
    }

    @Test func `the checksum in the page does not count, and its neighbours do`() {
        var page = [UInt8](repeating: 7, count: 8192)
        let checksum = PageChecksum.compute(page.rawSpan, block: 5)
        for index in [8, 9] {
            page[index] ^= 0xFF
            #expect(PageChecksum.compute(page.rawSpan, block: 5) == checksum)
        }
        for index in [7, 10, 11] {
            page[index] ^= 0xFF
            #expect(PageChecksum.compute(page.rawSpan, block: 5) != checksum)
            page[index] ^= 0xFF
        }
        #expect(PageChecksum.compute(page.rawSpan, block: 6) != checksum)
    }

    @Test func `a page may begin anywhere in memory`() {
        var generator = SplitMix64(state: 3)
        let bytes = (0..<9000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        for start in 0..<9 {
            let page = bytes.rawSpan.extracting(start..<start + 8192)
            #expect(
                PageChecksum.compute(page, block: 1) == defined(Array(bytes[start..<start + 8192]), 1))
        }
    }

    private func defined(_ page: [UInt8], _ block: UInt32) -> UInt16 {
        var page = page
        (page[8], page[9]) = (0, 0)
        var sums = Self.offsets
        let words = stride(from: 0, to: page.count, by: 4).map { at in
            (0..<4).reduce(0 as UInt32) { $0 | UInt32(page[at + $1]) << (8 * UInt32($1)) }
        }
        for (index, word) in (words + [UInt32](repeating: 0, count: 64)).enumerated() {
            let mixed = sums[index % 32] ^ word
            sums[index % 32] = mixed &* 16_777_619 ^ mixed >> 17
        }
        return UInt16(sums.reduce(block, ^) % 65535 + 1)
    }

    private static let offsets: [UInt32] = [
        0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C, 0xF8D4474F,
        0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB, 0xE58F764B, 0x187636BC,
        0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4, 0x783125BB, 0x6CA8EAA2, 0xE407EAC6,
        0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756,
    ]
}
