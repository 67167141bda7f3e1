import UnderstudyWAL

/// What differs between the WAL of server versions. The magic number of its pages tells which it is.
///
/// Later servers than 19 are read as 19: the layout of records has not changed since 9.5.
///
/// Source: XLOG_PAGE_MAGIC in xlog_internal.h, xlogrecord.h and rmgrlist.h; up to 9.4 xlog.h.
struct WALFormat: Hashable, Sendable {
    let magic: UInt16
    let order: WALByteOrder
    /// Whether it is of 9.3 or 9.4, whose records have another header, another checksum, and full-page images behind their
    /// data.
    let isLegacy: Bool
    /// Of a record's header.
    let headerSize: Int
    /// Where a record's header has its checksum, which covers what stands before.
    let checksumOffset: Int
    /// The number of resource managers that the server has itself.
    let resourceManagers: UInt8
    /// Whether extensions may have some: from 15 on.
    let hasCustomManagers: Bool

    /// Those of 9.3 to 19.
    private static let known: [UInt16] = [
        0xD075, 0xD07E, 0xD087, 0xD093, 0xD097, 0xD098, 0xD101, 0xD106, 0xD10D, 0xD110, 0xD113, 0xD116, 0xD118, 0xD120,
    ]
    private static let of94 = known[1]
    private static let of95 = known[2]
    private static let of14 = known[8]
    private static let of18 = known[12]

    /// Nil if the WAL is of a server before 9.3 or of a pre-release, or is none.
    init?(magic: UInt16, order: WALByteOrder) {
        guard Self.known.contains(magic) || magic > Self.known.last! else { return nil }
        self.magic = magic
        self.order = order
        isLegacy = magic <= Self.of94
        headerSize = isLegacy ? 32 : 24
        checksumOffset = isLegacy ? 24 : 20
        resourceManagers =
            switch magic {
            case ...Self.of94: 17
            case ...Self.of95: 20
            case ...Self.of18: 22
            default: 23
            }
        hasCustomManagers = magic > Self.of14
    }

    func hasManager(_ number: UInt8) -> Bool {
        number < resourceManagers || (hasCustomManagers && number >= WALResourceManager.firstCustom)
    }

    /// How a full-page image is compressed, by the flags in its header.
    func compression(ofImage flags: UInt8) -> WALRecord.ImageCompression {
        // Up to 14 there was one method, and another meaning of the bits.
        guard magic > Self.of14 else { return flags & 0x02 == 0 ? [] : .pglz }
        return WALRecord.ImageCompression(rawValue: flags >> 2 & 0x07)
    }
}
