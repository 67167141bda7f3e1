/// Checks the pages of a segment file, as its bytes come: magic number, flags, timeline and address of each, and what the
/// first one says of cluster and segment size.
///
/// Between the headers it looks at nothing: a reader of WAL records, which have checksums, has its place in `check`.
///
/// Source: PostgreSQL's xlog_internal.h, and XLogReaderValidatePageHeader.
package struct SegmentCheck: Sendable {
    /// What is wrong, and where.
    package struct Flaw: Hashable, Sendable {
        package enum Kind: Hashable, Sendable {
            /// Another cluster, segment size, address or timeline than those of the name.
            case otherWAL
            /// Not a page that a server writes.
            case page
            /// The content ends too early, or goes on too far.
            case length
        }

        package var kind: Kind
        /// The first byte that is wrong: an offset in the content.
        package var offset: Int
        /// Lower case, as the end of a message about the file.
        package var message: String
    }

    private let file: ArchivedSegment
    private let origin: WALPageHeader?
    /// That of the segment's timeline; nil if it is not known.
    private let history: TimelineHistory?

    /// The first flaw.
    package private(set) var flaw: Flaw?
    /// The number of bytes so far.
    package private(set) var count = 0
    private var pages: WALPages?
    /// Of the page before.
    private var timeline: TimelineID = 0
    /// The first page that was never written, what its header has instead, and whether a server leaves it so; nil if there
    /// was none so far.
    private var end: (page: Int, flaw: Flaw, isLeftOver: Bool)?
    /// The last page with content, where that ends, and the page before it.
    private var last: [UInt8] = []
    private var used = 0
    private var before: [UInt8] = []
    private var previous: [UInt8] = []

    /// Content is taken in blocks of this size, of which the last may be shorter. No page is larger.
    package static let blockSize = 1 << 16

    /// - Parameters:
    ///   - origin: A header of the same cluster and server version; nil if any will do.
    ///   - history: That of the segment's timeline, if it is known.
    package init(_ file: ArchivedSegment, origin: WALPageHeader?, history: TimelineHistory?) {
        self.file = file
        self.origin = origin
        self.history = history?.timeline == file.segment.timeline ? history : nil
    }

    /// - Parameter block: Of ``blockSize``, unless it is the last.
    package mutating func take(_ block: RawSpan) {
        defer { count += block.byteCount }
        guard flaw == nil, block.byteCount > 0 else { return }
        if count == 0 { begin(block) }
        guard let pages else { return }
        var offset = 0
        while offset + WALPages.headerSize <= block.byteCount, flaw == nil {
            let size = min(pages.pageSize, block.byteCount - offset)
            check(block.extracting(offset..<offset + size), (count + offset) / pages.pageSize, pages)
            offset += pages.pageSize
        }
    }

    /// The first flaw, once all came that can be had; nil if there is none.
    ///
    /// - Parameter isCut: Whether the content may go on behind what could be read, as that of a compressed file that is
    ///   being written.
    package mutating func finish(isCut: Bool = false) -> Flaw? {
        if flaw != nil { return flaw }
        if !isCut, !file.canHold(UInt64(count)) {
            let size = file.segment.size.bytes
            return Flaw(
                kind: .length, offset: min(count, Int(size)),
                message: "has \(count) bytes of WAL, where its segment has \(size)")
        }
        guard let end, let pages else { return nil }
        // Behind what was received are zeros, or what the server had in the file before.
        if file.isPartial { return end.isLeftOver ? nil : end.flaw }
        // A switch to the next segment leaves the rest unused: zeros, or what the server had in the file before.
        return pages.endsInSwitch(last, before: before, at: used) ? nil : end.flaw
    }

    /// How far a file holds its segment.
    package enum Extent: Hashable, Sendable {
        /// All pages are written, or the rest is unused after a switch to the next segment.
        case whole
        /// WAL ends at this offset: the file ends there, or zeros follow, or pages from before the server recycled it.
        case beginning(upTo: Int)
        case damaged(Flaw)
    }

    /// How far the file holds its segment, once all came that can be had, whatever its name says of that.
    package var extent: Extent {
        if let flaw { return .damaged(flaw) }
        guard let pages else { return .beginning(upTo: 0) }
        if let end {
            if pages.endsInSwitch(last, before: before, at: used) { return .whole }
            return end.isLeftOver ? .beginning(upTo: end.page * pages.pageSize) : .damaged(end.flaw)
        }
        return count >= Int(file.segment.size.bytes) ? .whole : .beginning(upTo: count)
    }

    // MARK: - Pages

    private mutating func begin(_ block: RawSpan) {
        let bytes = block.bytes(0..<min(block.byteCount, WALPageHeader.byteCount))
        guard let header = WALPageHeader(bytes) else {
            // A file that was made and not written yet.
            if file.isPartial, block.isZero || block.byteCount < WALPageHeader.byteCount { return }
            flaw = Flaw(kind: .page, offset: 0, message: "does not begin with a page of WAL")
            return
        }
        let segment = file.segment
        func other(_ offset: Int, _ message: String) {
            flaw = flaw ?? Flaw(kind: .otherWAL, offset: offset, message: message)
        }
        if let origin, header.magic != origin.magic {
            let number = String(header.magic, radix: 16), right = String(origin.magic, radix: 16)
            other(0, "begins with the magic number \(number), where other segments have \(right)")
        }
        if header.address != segment.startLSN {
            other(8, "has the WAL of position \(header.address), not of \(segment.startLSN)")
        }
        if let origin, header.systemIdentifier != origin.systemIdentifier {
            let own = header.systemIdentifier
            other(
                24, "is of another cluster: its system identifier is \(own), the archive's \(origin.systemIdentifier)")
        }
        if header.segmentSize != segment.size.bytes {
            other(32, "is of a cluster with segments of \(header.segmentSize) bytes")
        }
        if flaw == nil { pages = WALPages(segment, header) }
    }

    private mutating func check(_ page: RawSpan, _ number: Int, _ pages: WALPages) {
        guard flaw == nil else { return }
        let offset = number * pages.pageSize
        if let wrong = pages.mismatch(page, number) {
            let flaw = Flaw(kind: .page, offset: offset + wrong.offset, message: wrong.message)
            // Whether it is the end of the WAL in the file is known when the rest came.
            if end == nil { end = (number, flaw, pages.isLeftOver(page)) }
            return
        }
        if let end {
            // Old content of a file that was used again is never of its own place.
            if file.isPartial || pages.used(page) != nil { flaw = end.flaw }
            return
        }
        if let wrong = pages.wrongFlags(page, isFirst: number == 0) {
            flaw = Flaw(kind: .page, offset: offset + wrong.offset, message: wrong.message)
            return
        }
        checkTimeline(pages.timeline(page), offset)
        guard !file.isPartial else { return }
        let bytes = page.bytes(0..<page.byteCount)
        if let content = pages.used(page) { (last, before, used) = (bytes, previous, content) }
        previous = bytes
    }

    private mutating func checkTimeline(_ found: TimelineID, _ offset: Int) {
        let address = LSN(rawValue: file.segment.startLSN.rawValue + UInt64(offset))
        let named = file.segment.timeline
        defer { timeline = found }
        let wanted: String
        if let history {
            let right = history.timeline(of: address)
            if found == right { return }
            wanted = "it should be \(right)"
        } else {
            // The segment in which a timeline begins has pages of the one before at first.
            if found <= named, found >= timeline { return }
            wanted = "its segment is of timeline \(named)"
        }
        flaw = Flaw(
            kind: .otherWAL, offset: offset + 4,
            message: "has a page of timeline \(found) at \(address), and \(wanted)")
    }
}

extension WALPages {
    /// The first byte of a page's header that shows that it was not written as this page of the segment.
    fileprivate func mismatch(_ page: RawSpan, _ number: Int) -> (offset: Int, message: String)? {
        let address = segment.startLSN.rawValue + UInt64(number * pageSize)
        if let wrong = order.mismatch(page, 0, UInt64(magic), 2) {
            return (wrong, "has no page of WAL at \(LSN(rawValue: address))")
        }
        guard let wrong = order.mismatch(page, 8, address, 8) else { return nil }
        let found = LSN(rawValue: order.number(page, 8, 8))
        return (wrong, "has the page of \(found) at \(LSN(rawValue: address))")
    }

    /// Whether a server has such a page behind the end of its WAL: zeros, or one of an earlier segment, as whose file this one
    /// was used.
    fileprivate func isLeftOver(_ page: RawSpan) -> Bool {
        if page.isZero { return true }
        let address = order.number(page, 8, 8)
        return address > 0 && address < segment.startLSN.rawValue && address % UInt64(pageSize) == 0
            && order.number(page, 2, 2) & ~Self.flags == 0
    }

    /// All that servers set: the page begins with the rest of a record, has a long header, holds no full page images that
    /// may be removed, follows a record that was given up.
    private static let flags: UInt64 = 0x000F
    private static let isContinued: UInt64 = 0x0001
    private static let isLong: UInt64 = 0x0002

    fileprivate func wrongFlags(_ page: RawSpan, isFirst: Bool) -> (offset: Int, message: String)? {
        let flags = order.number(page, 2, 2)
        // A page that begins with the rest of a record says how long that is.
        let isContinued = flags & Self.isContinued != 0, rest = order.number(page, 16, 4)
        guard
            flags & ~Self.flags != 0 || (flags & Self.isLong != 0) != isFirst || isContinued != (rest > 0)
        else { return nil }
        let hex = String(flags, radix: 16)
        return (2, "has a page with the flags \(hex) and \(rest) bytes of an earlier record, as no server writes it")
    }

    fileprivate func timeline(_ page: RawSpan) -> TimelineID {
        TimelineID(rawValue: UInt32(order.number(page, 4, 4)))
    }

    /// As that of an array.
    fileprivate func used(_ page: RawSpan) -> Int? {
        // Most pages are full.
        if page.byte(at: page.byteCount - 1) != 0 { return page.byteCount }
        let end = page.endOfContent
        return end > Self.headerSize ? end : nil
    }
}

extension WALByteOrder {
    fileprivate func number(_ bytes: RawSpan, _ offset: Int, _ count: Int) -> UInt64 {
        var number: UInt64 = 0
        for index in 0..<count {
            number = number << 8 | UInt64(bytes.byte(at: offset + (self == .little ? count - 1 - index : index)))
        }
        return number
    }

    /// The offset of the first byte that is not the number's; nil if it stands there.
    fileprivate func mismatch(_ bytes: RawSpan, _ offset: Int, _ number: UInt64, _ count: Int) -> Int? {
        for index in 0..<count {
            let shift = UInt64(8 * (self == .little ? index : count - 1 - index))
            if bytes.byte(at: offset + index) != UInt8(truncatingIfNeeded: number >> shift) { return offset + index }
        }
        return nil
    }
}

extension RawSpan {
    /// A copy.
    fileprivate func bytes(_ range: Range<Int>) -> [UInt8] {
        // The bytes are copied within the call.
        unsafe extracting(range).withUnsafeBytes { unsafe Array($0) }
    }
}
