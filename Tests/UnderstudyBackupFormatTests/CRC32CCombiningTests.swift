import Testing
import UnderstudyBackupFormat
import UnderstudyTestSupport

@Suite struct CRC32CCombiningTests {
    private func crc(_ bytes: some Sequence<UInt8>) -> UInt32 {
        var crc = CRC32C()
        crc.update(Array(bytes).rawSpan)
        return crc.value
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `the parts of any split make the whole`(seed: UInt64) {
        var generator = SplitMix64(state: seed)
        let bytes = (0..<5000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let whole = crc(bytes)
        let splits = [0, 1, 2, 4999, 5000] + (0..<100).map { _ in Int.random(in: 0...5000, using: &generator) }
        for split in splits {
            let combined = CRC32C.combine(
                crc(bytes[..<split]), crc(bytes[split...]), byteCount: UInt64(bytes.count - split))
            #expect(combined == whole, "split at \(split)")
        }
    }

    @Test func `nothing behind a part leaves it, and a part behind nothing is itself`() {
        let value = crc("123456789".utf8)
        #expect(value == 0xE306_9283)
        #expect(CRC32C.combine(value, crc([]), byteCount: 0) == value)
        #expect(CRC32C.combine(crc([]), value, byteCount: 9) == value)
    }

    /// Doubled 17 times, 64 kB of zeros are 8 GiB: the length goes beyond 32 bits, and no byte is read.
    @Test func `parts of more than 4 GiB may be put together in any order`() {
        let zeros = crc([UInt8](repeating: 0, count: 1 << 16))
        var doubled: [(crc: UInt32, count: UInt64)] = [(zeros, 1 << 16)]
        for _ in 0..<17 {
            let last = doubled[doubled.count - 1]
            doubled.append((CRC32C.combine(last.crc, last.crc, byteCount: last.count), last.count * 2))
        }
        // What was doubled is what it is known to be.
        #expect(doubled[4].crc == crc([UInt8](repeating: 0, count: 1 << 20)))
        var generator = SplitMix64(state: 7)
        for _ in 0..<50 {
            let parts = (0..<3).map { _ in
                let part = doubled.randomElement(using: &generator) ?? doubled[0]
                // Any value is the checksum of something with this length.
                return (crc: part.crc ^ UInt32.random(in: 0...(.max), using: &generator), count: part.count)
            }
            let left = CRC32C.combine(
                CRC32C.combine(parts[0].crc, parts[1].crc, byteCount: parts[1].count), parts[2].crc,
                byteCount: parts[2].count)
            let right = CRC32C.combine(
                parts[0].crc, CRC32C.combine(parts[1].crc, parts[2].crc, byteCount: parts[2].count),
                byteCount: parts[1].count + parts[2].count)
            #expect(left == right, "\(parts)")
        }
    }

    /// A zero bit at a time, as the definition has it.
    @Test func `a length of 4 GiB and 1 differs from 1`() {
        let moved = CRC32C.combine(1, 0, byteCount: 1)
        #expect(CRC32C.combine(1, 0, byteCount: (1 << 32) + 1) != moved)
        var register: UInt32 = 1
        for _ in 0..<8 { register = register >> 1 ^ (register & 1 == 1 ? 0x82F6_3B78 : 0) }
        #expect(moved == register)
    }
}
