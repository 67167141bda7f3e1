extension CRC32C {
    /// The checksum of two parts that lie behind each other, from the checksums of each.
    ///
    /// The register moves over a zero bit by a multiplication by x modulo the polynomial; so the first part's checksum is
    /// multiplied by x^(8n) for the n bytes of the second. This takes O(log n) steps, and none of the bytes.
    ///
    /// - Parameters:
    ///   - first: `value` after the first part alone.
    ///   - second: `value` after the second part alone.
    ///   - byteCount: The length of the second part.
    package static func combine(_ first: UInt32, _ second: UInt32, byteCount: UInt64) -> UInt32 {
        var power = one
        // x^8, x^16, x^32, …
        var square = one >> 8
        var rest = byteCount
        while rest > 0 {
            if rest & 1 == 1 { power = product(power, square) }
            square = product(square, square)
            rest >>= 1
        }
        return product(first, power) ^ second
    }

    /// The polynomial 1. The highest bit of a register is the coefficient of x^0.
    private static let one: UInt32 = 1 << 31

    /// The Castagnoli polynomial without its x^32, in the same order of bits.
    private static let polynomial: UInt32 = 0x82F6_3B78

    /// The product of two polynomials modulo the polynomial of the checksum.
    private static func product(_ left: UInt32, _ right: UInt32) -> UInt32 {
        var sum: UInt32 = 0
        var shifted = right
        for bit in (0..<32 as Range<UInt32>).reversed() {
            if left >> bit & 1 == 1 { sum ^= shifted }
            shifted = shifted >> 1 ^ (shifted & 1 == 1 ? polynomial : 0)
        }
        return sum
    }
}
