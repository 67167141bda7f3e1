import UnderstudyBackupFormat
import UnderstudyWAL

// Source of the rules and words: XLogReaderValidatePageHeader.
extension WALRecordReader {
    static let shortHeader = 24
    static let longHeader = 40

    /// The flags of a page.
    enum PageFlag {
        /// It begins with the rest of a record.
        static let isContinued: UInt16 = 0x0001
        static let isLong: UInt16 = 0x0002
        /// The rest of the record before it was never written: another one stands in its place.
        static let replacesRest: UInt16 = 0x0008
        static let all: UInt16 = 0x000F
    }

    /// Reads a page, and sets ``wanted`` to the next one.
    ///
    /// - Parameter page: Shorter than a page if no more bytes will come.
    mutating func read(_ page: RawSpan, at address: LSN, _ body: (WALRecord) -> Void) {
        guard let format else { return }
        let flags = page.uint16(at: 2, format.order)
        guard isSound(page, flags, at: address, format) else { return }
        let pages = LSN(rawValue: start.rawValue & ~UInt64(pageSize - 1))
        let following = LSN(rawValue: address.rawValue + UInt64(pageSize))
        if address < pages {
            // The first page of the segment tells the format only.
            wanted = pages
            return
        }
        wanted = following
        let bound = limit < following ? Int(limit.rawValue - address.rawValue) : pageSize
        let part = page.extracting(..<min(bound, page.byteCount))
        guard let first = readRest(part, flags, rest: page.uint32(at: 16, format.order), at: address, format, body)
        else { return finishPage(upTo: LSN(rawValue: address.rawValue + UInt64(page.byteCount))) }
        readRecords(part, at: address, from: first, format, body)
        finishPage(upTo: LSN(rawValue: address.rawValue + UInt64(page.byteCount)))
    }

    /// - Parameter stop: Where its bytes end.
    private mutating func finishPage(upTo stop: LSN) {
        // Behind a switch, nothing of the segment is needed.
        let isSwitched = wanted > stop && wanted.isSegmentStart(segmentSize) && next == wanted
        if flaw == nil, !isComplete, limit <= (isSwitched ? wanted : stop) { complete() }
    }

    /// Ends the range.
    mutating func complete() {
        isComplete = true
        if partial.isActive { cutRecord = partial.position }
        if lastRecord == nil, startsAtRecord {
            isComplete = false
            fail(.start, at: start, "no record begins at \(start)")
        }
    }

    /// Reads the rest of a record with which a page begins.
    ///
    /// - Returns: The offset at which the next record begins; nil if that is not in this page.
    private mutating func readRest(
        _ page: RawSpan, _ flags: UInt16, rest: UInt32, at address: LSN, _ format: WALFormat,
        _ body: (WALRecord) -> Void
    ) -> Int? {
        let header = flags & PageFlag.isLong != 0 ? Self.longHeader : Self.shortHeader
        let isContinued = flags & PageFlag.isContinued != 0
        if partial.isActive {
            let position = partial.position
            if flags & PageFlag.replacesRest != 0 {
                guard !isContinued else {
                    fail(.continuation, at: address, "contrecord is requested by \(address)")
                    return nil
                }
                abandoned = position
                partial.giveUp()
                next = address
                return header
            }
            guard isContinued else {
                fail(.continuation, at: position, "there is no contrecord flag at \(address)")
                return nil
            }
            guard Int(rest) == partial.remaining else {
                fail(
                    .continuation, at: position,
                    "invalid contrecord length \(rest) (expected \(partial.remaining)) at \(address)")
                return nil
            }
            let count = min(partial.remaining, pageSize - header)
            guard header + count <= page.byteCount else {
                stopWithin(position, at: address, page)
                return nil
            }
            partial.take(page.extracting(header..<header + count), format)
            guard finishPartial(format, end: address, header + aligned(Int(rest)), body) else { return nil }
        } else if !isSynchronized {
            // The record began before the page at which reading begins.
            guard !isContinued || aligned(Int(rest)) < pageSize - header else { return nil }
            isSynchronized = true
        } else if isContinued {
            fail(.continuation, at: address, "contrecord is requested by \(address)")
            return nil
        }
        return header + (isContinued ? aligned(Int(rest)) : 0)
    }

    // MARK: - Headers

    private mutating func isSound(_ page: RawSpan, _ flags: UInt16, at address: LSN, _ format: WALFormat) -> Bool {
        let order = format.order
        guard page.uint16(at: 0, order) == format.magic else {
            if page.isZero { failAtZeros(address) } else { failAtHeader(address, page) }
            return false
        }
        let isFirst = address.isSegmentStart(segmentSize), isLong = flags & PageFlag.isLong != 0
        guard flags & ~PageFlag.all == 0, isLong == isFirst else {
            fail(.pageFlags, at: address, "invalid info bits \(hex(flags)) in \(place(address))")
            return false
        }
        if isLong, !isOfCluster(page, at: address, order) { return false }
        let found = LSN(rawValue: page.uint64(at: 8, order))
        guard found == address else {
            fail(.pageAddress, at: address, "unexpected pageaddr \(found) in \(place(address))")
            return false
        }
        return isOfTimeline(TimelineID(rawValue: page.uint32(at: 4, order)), at: address)
    }

    /// - Parameter page: The first one of a segment.
    private mutating func isOfCluster(_ page: RawSpan, at address: LSN, _ order: WALByteOrder) -> Bool {
        let identifier = String(page.uint64(at: 24, order))
        let other = "WAL file is from different database system"
        if let systemIdentifier, identifier != systemIdentifier {
            fail(
                .system, at: address,
                "\(other): WAL file database system identifier is \(identifier), pg_control database system identifier is "
                    + systemIdentifier)
        } else if UInt64(page.uint32(at: 32, order)) != segmentSize.bytes {
            fail(.segmentSize, at: address, "\(other): incorrect segment size in page header")
        } else if Int(page.uint32(at: 36, order)) != pageSize || hasSmallerPages(page, at: address, order) {
            fail(.pageSize, at: address, "\(other): incorrect XLOG_BLCKSZ in page header")
        } else if WALSegmentName(containing: address, timeline: timeline, size: segmentSize) == nil {
            fail(.pageAddress, at: address, "no server has a segment with \(address)")
        } else {
            return true
        }
        return false
    }

    /// Whether another page begins within a segment's first: its size is not the one that the header tells. If that is too
    /// small, the next page shows it.
    private func hasSmallerPages(_ page: RawSpan, at address: LSN, _ order: WALByteOrder) -> Bool {
        guard !isPageSizeGiven, let magic = format?.magic else { return false }
        var size = 1 << 10
        while size < pageSize, size + Self.shortHeader <= page.byteCount {
            if page.uint16(at: size, order) == magic,
                page.uint64(at: size + 8, order) == address.rawValue + UInt64(size)
            {
                return true
            }
            size <<= 1
        }
        return false
    }

    private mutating func isOfTimeline(_ found: TimelineID, at address: LSN) -> Bool {
        defer { pageTimeline = found }
        if found < pageTimeline {
            fail(
                .timeline, at: address,
                "out-of-sequence timeline ID \(found) (after \(pageTimeline)) in \(place(address))")
            return false
        }
        let isRight: Bool
        if let beginning, address >= beginning {
            isRight = found == timeline
        } else if beginning != nil {
            isRight = found < timeline
        } else {
            isRight = found <= timeline
        }
        if isRight { return true }
        fail(.timeline, at: address, "unexpected timeline ID \(found) (of timeline \(timeline)) in \(place(address))")
        return false
    }

    // MARK: - Words

    mutating func failAtZeros(_ address: LSN) {
        fail(.zeros, at: address, "invalid magic number 0000 in \(place(address))")
    }

    /// Of a page without the magic number, or with a first header that is none.
    mutating func failAtHeader(_ address: LSN, _ page: RawSpan) {
        let order = format?.order ?? .little
        let magic = page.uint16(at: 0, order)
        if let format, magic != format.magic {
            fail(.pageMagic, at: address, "invalid magic number \(hex(magic)) in \(place(address))")
        } else if magic >> 8 != 0xD0, magic >> 8 != 0xD1 {
            fail(.pageMagic, at: address, "invalid magic number \(hex(magic)) in \(place(address))")
        } else if page.uint16(at: 2, order) & PageFlag.isLong == 0 {
            fail(.pageFlags, at: address, "invalid info bits \(hex(page.uint16(at: 2, order))) in \(place(address))")
        } else {
            fail(
                .pageSize, at: address,
                "WAL file is from different database system: incorrect XLOG_BLCKSZ in page header")
        }
    }

    func hex(_ number: UInt16) -> String {
        let digits = String(number, radix: 16, uppercase: true)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }

    /// Of a page.
    func place(_ address: LSN) -> String {
        let segment = WALSegmentName(containing: address, timeline: timeline, size: segmentSize)
        let name = segment.map(\.description) ?? "?"
        return "WAL segment \(name), LSN \(address), offset \(address.segmentOffset(segmentSize))"
    }
}
