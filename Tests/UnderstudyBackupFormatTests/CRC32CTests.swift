import Testing
import UnderstudyBackupFormat
import UnderstudyTestSupport

@Suite struct CRC32CTests {
    @Test(arguments: [
        ("", 0), ("a", 0xC1D0_4330), ("123456789", 0xE306_9283),
        ("The quick brown fox jumps over the lazy dog", 0x2262_0404),
    ])
    func `known values are found by both ways`(text: String, value: UInt32) {
        let bytes = [UInt8](ascii: text)
        var crc = CRC32C()
        crc.update(bytes.rawSpan)
        #expect(crc.value == value)
        var portable = CRC32C()
        portable.updatePortably(bytes.rawSpan)
        #expect(portable.value == value)
    }

    @Test func `the instruction agrees with the tables at every alignment and length`() {
        var generator = SplitMix64(state: 1)
        let bytes = (0..<20_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        // Around the lengths where the three lanes begin, and where they run again.
        let lengths = Array(0...70) + Array(3060...3085) + [6143, 6144, 6145, 9999, 12_287, 12_288, 12_300, 19_000]
        for start in 0..<16 {
            for length in lengths {
                let piece = bytes.rawSpan.extracting(start..<start + length)
                var crc = CRC32C()
                crc.update(piece)
                var portable = CRC32C()
                portable.updatePortably(piece)
                #expect(crc.value == portable.value, "\(length) bytes from \(start)")
            }
        }
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func `pieces add up to the whole`(seed: UInt64) {
        let bytes = (0..<30_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 7) }
        var whole = CRC32C()
        whole.updatePortably(bytes.rawSpan)
        var crc = CRC32C()
        for range in Cut.random(seed: seed, limit: 9000).ranges(of: bytes.count) {
            crc.update(bytes.rawSpan.extracting(range))
        }
        #expect(crc.value == whole.value)
    }
}
