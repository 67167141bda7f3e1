/// The checksum of a page of a relation, for clusters that were made with data checksums.
///
/// 32 sums in the manner of FNV-1a run beside each other, each over every 32nd word of the page; the page's own checksum
/// counts as zero, and the block's number is part of the result. Pages of a server with another byte order than this
/// machine's have other words: they cannot be checked (`PageHeader.hasLayout` is false for them).
///
/// Source: the server's storage/checksum_impl.h, pg_checksum_page.
package enum PageChecksum {
    /// - Parameters:
    ///   - page: A whole page: SHOW block_size, a power of two from 1 to 32 kB.
    ///   - block: The number of the page in its relation's fork, counted through all segments.
    /// - Returns: Never 0, which is what a page without a checksum has.
    package static func compute(_ page: RawSpan, block: UInt32) -> UInt16 {
        precondition(page.byteCount >= 1024 && page.byteCount % bytesInARow == 0, "not a whole page")
        var low = offsets.low, high = offsets.high
        var offset = 0
        while offset < page.byteCount {
            // Vectors of integers have no invalid bit patterns, and the loads check the bounds. Two of 16 words are
            // compiled to vector instructions; one of 32 is not.
            var first = unsafe page.unsafeLoadUnaligned(fromByteOffset: offset, as: Words.self)
            let second = unsafe page.unsafeLoadUnaligned(fromByteOffset: offset &+ 64, as: Words.self)
            // Of the word with pd_checksum and pd_flags, only the flags count.
            if offset == 0 { first[2] &= 0xFFFF_0000 }
            low = step(low, first)
            high = step(high, second)
            offset &+= bytesInARow
        }
        for _ in 0..<2 {
            low = step(low, Words())
            high = step(high, Words())
        }
        let sums = low ^ high
        var sum = block
        for index in sums.indices { sum ^= sums[index] }
        return UInt16(sum % 65535 + 1)
    }

    private typealias Words = SIMD16<UInt32>

    /// One word for each sum.
    private static let bytesInARow = 128

    @inline(__always)
    private static func step(_ sums: Words, _ words: Words) -> Words {
        let mixed = sums ^ words
        return (mixed &* Words(repeating: 16_777_619)) ^ (mixed &>> Words(repeating: 17))
    }

    /// What the sums begin with.
    private static let offsets = (
        low: Words(
            0x5B1F_36E9, 0xB852_5960, 0x02AB_50AA, 0x1DE6_6D2A, 0x79FF_467A, 0x9BB9_F8A3, 0x217E_7CD2, 0x83E1_3D2C,
            0xF8D4_474F, 0xE39E_B970, 0x42C6_AE16, 0x9932_16FA, 0x7B09_3B5D, 0x98DA_FF3C, 0xF718_902A, 0x0B1C_9CDB),
        high: Words(
            0xE58F_764B, 0x1876_36BC, 0x5D7B_3BB1, 0xE73D_E7DE, 0x92BE_C979, 0xCCA6_C0B2, 0x304A_0979, 0x85AA_43D4,
            0x7831_25BB, 0x6CA8_EAA2, 0xE407_EAC6, 0x4B5C_FC3E, 0x9FBF_8C76, 0x15CA_20BE, 0xF2CA_9FD3, 0x959B_D756)
    )
}
