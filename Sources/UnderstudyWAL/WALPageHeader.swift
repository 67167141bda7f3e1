/// The header of a segment's first page.
///
/// Source: PostgreSQL's xlog_internal.h, XLogLongPageHeaderData: magic (2 bytes), flags (2), timeline (4), address (8),
/// remaining length (4), padding (4), system identifier (8), segment size (4), page size (4); the server's byte order.
package struct WALPageHeader: Equatable, Sendable {
    /// The version of the WAL format, different in each major server version.
    package let magic: UInt16
    /// The timeline on which the page was written.
    package let timeline: TimelineID
    package let address: LSN
    package let systemIdentifier: String
    package let segmentSize: UInt64
    package let pageSize: Int
    package let order: WALByteOrder

    package static let byteCount = 40
    private static let isLong: UInt64 = 0x0002

    /// Nil if the bytes are not a long page header: too few, zeros, or other data.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.byteCount, let order = WALByteOrder(ofMagic: bytes[0], bytes[1]),
            order.number(bytes, 2, 2) & Self.isLong != 0
        else { return nil }
        let pageSize = Int(order.number(bytes, 36, 4))
        // The block sizes that configure allows: 1 to 64 kB.
        guard (1 << 10...1 << 16).contains(pageSize), pageSize & (pageSize - 1) == 0 else { return nil }
        self.order = order
        self.pageSize = pageSize
        magic = UInt16(order.number(bytes, 0, 2))
        timeline = TimelineID(rawValue: UInt32(order.number(bytes, 4, 4)))
        address = LSN(rawValue: order.number(bytes, 8, 8))
        systemIdentifier = String(order.number(bytes, 24, 8))
        segmentSize = order.number(bytes, 32, 4)
    }

    /// Why a page cannot be the first page of a segment.
    package enum Mismatch: Equatable, Sendable, CustomStringConvertible {
        case system(String)
        case segmentSize(UInt64)
        case address(LSN)
        case timeline(TimelineID)

        /// The value in the page.
        package var description: String {
            switch self {
            case .system(let identifier): "system identifier \(identifier)"
            case .segmentSize(let bytes): "a segment size of \(bytes) bytes"
            case .address(let position): "position \(position)"
            case .timeline(let timeline): "timeline \(timeline)"
            }
        }
    }

    /// Compares the page with a segment's name. Nil if the page can be the segment's first.
    ///
    /// - Parameter beginsTimeline: Whether the segment's timeline may begin within the segment. Its first pages are
    ///   then from an older timeline.
    package func mismatch(
        with segment: WALSegmentName, ofSystem identifier: String, beginsTimeline: Bool
    ) -> Mismatch? {
        if systemIdentifier != identifier { return .system(systemIdentifier) }
        if segmentSize != segment.size.bytes { return .segmentSize(segmentSize) }
        if address != segment.startLSN { return .address(address) }
        if timeline > segment.timeline || (timeline < segment.timeline && !beginsTimeline) {
            return .timeline(timeline)
        }
        return nil
    }
}

/// The byte order of a server's integers.
package enum WALByteOrder: Sendable {
    case little, big

    /// From the first two bytes of a page. 9.3 used 0xD075; each later version uses another number with the high byte
    /// 0xD0 or 0xD1.
    init?(ofMagic first: UInt8, _ second: UInt8) {
        if second == 0xD0 || second == 0xD1 {
            self = .little
        } else if first == 0xD0 || first == 0xD1 {
            self = .big
        } else {
            return nil
        }
    }

    /// - Parameter bytes: At least `offset + count` bytes.
    func number(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt64 {
        let field = bytes[bytes.startIndex + offset..<bytes.startIndex + offset + count]
        return self == .little ? field.reversed().reduce(0, Self.append) : field.reduce(0, Self.append)
    }

    private static func append(_ number: UInt64, _ byte: UInt8) -> UInt64 { number << 8 | UInt64(byte) }
}
