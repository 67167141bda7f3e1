/// Follows the pages of a segment from its beginning, and finds the first that a complete segment does not have there.
///
/// Source: PostgreSQL's xlog_internal.h (XLogPageHeaderData).
package struct WALPageSequence: Sendable {
    /// How far a file is what its segment is.
    package enum Extent: Hashable, Sendable {
        /// All pages are written, or zeros follow a switch to the next segment.
        case whole
        /// WAL ends at this offset. Zeros follow, or pages from before the server recycled the file.
        case incomplete(at: Int)
        /// A page at this offset is none of the segment's.
        case damaged(at: Int, reason: String)
    }

    private let pages: WALPages
    private let magic: UInt64
    private let order: WALByteOrder
    private var timeline: UInt64 = 0
    private var offset = 0
    /// The last pages that were taken.
    private var tail: [UInt8] = []
    /// Where the written pages end.
    private var end: Int?
    private var damage: Extent?

    private static let flags: UInt64 = 0x000F
    private static let longHeader: UInt64 = 0x0002

    /// - Parameter header: The header of the first page; it must match the segment.
    package init(_ segment: WALSegmentName, _ header: WALPageHeader) {
        pages = WALPages(segment, header)
        magic = UInt64(header.magic)
        order = header.order
    }

    /// The size of a page in bytes.
    package var pageSize: Int { pages.pageSize }

    /// Takes the next bytes.
    ///
    /// - Parameter bytes: Whole pages.
    /// - Returns: Whether more can tell anything.
    package mutating func take(_ bytes: [UInt8]) -> Bool {
        var start = 0
        while damage == nil, start + pageSize <= bytes.count {
            take(bytes, at: start)
            start += pageSize
            offset += pageSize
        }
        if end == nil { tail = Array((tail + bytes.suffix(2 * pageSize)).suffix(2 * pageSize)) }
        return damage == nil
    }

    private mutating func take(_ bytes: [UInt8], at start: Int) {
        let page = unsafe bytes.span.bytes.extracting(start..<start + pageSize)
        if let end {
            if !page.isZero { damage = end == 0 || isSwitch ? damaged("is not empty") : .incomplete(at: end) }
            return
        }
        if page.extracting(..<24).isZero {
            end = offset
            // The pages of the same piece before this one may hold the last record.
            tail = Array((tail + bytes[..<start]).suffix(2 * pageSize))
            if !page.isZero { damage = damaged("has no header") }
            return
        }
        check(
            magic: order.number(bytes, start, 2), info: order.number(bytes, start + 2, 2),
            timeline: order.number(bytes, start + 4, 4), address: order.number(bytes, start + 8, 8))
    }

    private mutating func check(magic: UInt64, info: UInt64, timeline: UInt64, address: UInt64) {
        let expected = pages.segment.startLSN.rawValue + UInt64(offset)
        if address < pages.segment.startLSN.rawValue, address % UInt64(pageSize) == 0, info & ~Self.flags == 0 {
            // Old content: the server gives the file another name before it writes to it.
            damage = .incomplete(at: offset)
        } else if magic != self.magic {
            damage = damaged("has the magic number \(String(magic, radix: 16)), not \(String(self.magic, radix: 16))")
        } else if address != expected {
            damage = damaged("has the position \(LSN(rawValue: address)), not \(LSN(rawValue: expected))")
        } else if info & ~Self.flags != 0 || (info & Self.longHeader != 0) != (offset == 0) {
            damage = damaged("has the flags \(String(info, radix: 16))")
        } else if timeline > UInt64(pages.segment.timeline.rawValue) || timeline < self.timeline {
            damage = damaged("is of timeline \(timeline)")
        }
        self.timeline = timeline
    }

    private func damaged(_ reason: String) -> Extent { .damaged(at: offset, reason: reason) }

    /// Whether the last record before the end is a switch to the next segment.
    private var isSwitch: Bool {
        let last = Array(tail.suffix(pageSize)), before = Array(tail.dropLast(pageSize))
        guard let used = pages.used(last) else { return false }
        return pages.endsInSwitch(last, before: before, at: used)
    }

    /// What was found, when all bytes were taken.
    package var extent: Extent {
        if let damage { return damage }
        let size = Int(pages.segment.size.bytes)
        if let end { return isSwitch ? .whole : .incomplete(at: end) }
        return offset == size ? .whole : .incomplete(at: offset)
    }
}
