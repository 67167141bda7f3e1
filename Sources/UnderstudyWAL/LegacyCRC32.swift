/// The checksum of servers up to 9.4, in control files and WAL records: a table for a right-shifting CRC, used with left
/// shifts. It is not a named CRC.
///
/// Source: pg_crc.h of 9.4; COMP_LEGACY_CRC32 since then.
package struct LegacyCRC32: Sendable {
    private var register = UInt32.max

    package init() {}

    /// The checksum of all bytes so far.
    package var value: UInt32 { ~register }

    package mutating func update(_ byte: UInt8) {
        register = Self.table[Int(register >> 24 ^ UInt32(byte))] ^ register << 8
    }

    package mutating func update(_ bytes: RawSpan) {
        for index in 0..<bytes.byteCount { update(bytes.byte(at: index)) }
    }

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(index) { value, _ in value >> 1 ^ (value & 1 == 0 ? 0 : 0xEDB8_8320) }
    }
}
