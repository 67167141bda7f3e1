import UnderstudyBackupFormat
public import UnderstudyWAL

/// Reads the records of a range of WAL on one timeline, from bytes that come in their order, in pieces of any size.
///
/// It proves what pg_waldump(1) proves: that the pages follow each other, and that each record follows the one before and
/// has the checksum that it should have. Memory does not grow with the WAL.
///
/// ```swift
/// var reader = WALRecordReader(timeline: 1, from: start, upTo: end, segmentSize: .default)
/// reader.take(bytes, at: LSN("0/3000000")!) { record in print(record.position, record.resourceManager) }
/// reader.finish { _ in }
/// if let flaw = reader.flaw { print(flaw.message) }
/// ```
///
/// Reading begins with the first page of the segment with `start`, which tells the format, and goes on with the page of
/// `start`. Records that begin before `start` in that page are checked too, and not passed on.
///
/// WAL of 9.3 and later is read, in either byte order, of servers that align to 8 bytes.
public struct WALRecordReader: Sendable {
    public let timeline: TimelineID
    public let start: LSN
    /// nil: as far as there is WAL.
    public let end: LSN?
    let segmentSize: WALSegmentSize
    let startsAtRecord: Bool
    let beginning: LSN?
    let limit: LSN

    /// The position of the next byte that it needs. What comes before is skipped.
    public internal(set) var wanted: LSN
    /// Why it stopped; nil if nothing is wrong so far.
    public internal(set) var flaw: WALFlaw?
    /// Whether all of the range was read.
    public internal(set) var isComplete = false
    /// The number of records that were passed on.
    public internal(set) var recordCount: UInt64 = 0
    /// Where the last record begins that was passed on; nil before the first.
    public internal(set) var lastRecord: LSN?
    /// Where a record begins that goes on behind the range; nil if the range ends with a record.
    public internal(set) var cutRecord: LSN?
    /// Where the next record begins at the earliest, as far as all was right.
    public internal(set) var next: LSN

    /// Of the first segment, unless it was given.
    var systemIdentifier: String?
    /// 0 before the first page.
    var pageSize: Int
    var isPageSizeGiven: Bool
    var format: WALFormat?
    /// A page of which only the beginning came.
    private var buffer: [UInt8] = []
    /// Whether it is known where records begin.
    var isSynchronized = false
    /// Where the record before `next` begins; nil if it was not read.
    var previous: LSN?
    /// Where the record begins that the first one of the range follows, if that is known.
    var predecessor: LSN?
    /// Where the record begins that was given up, and is to be replaced by the next one.
    var abandoned: LSN?
    var partial = PartialRecord()
    /// That of the page before.
    var pageTimeline: TimelineID = 0
    /// What the last record's checksum should have been: fuzz targets put it there.
    var computedChecksum: UInt32 = 0

    /// - Parameters:
    ///   - start: Where the first record begins; a page's or segment's start stands for the first record behind its header.
    ///   - end: Where the last record ends; nil to read as far as there is WAL.
    ///   - startsAtRecord: False if `start` may be within a record: the first one behind it is then the first.
    ///   - systemIdentifier: Of the cluster; if nil, all segments must have that of the first one.
    ///   - pageSize: Of its WAL, in bytes; if nil, all segments must have that of the first one.
    ///   - beginning: Where the timeline begins, if that is known: pages before are of older ones, those behind are not.
    public init(
        timeline: TimelineID, from start: LSN, upTo end: LSN? = nil, segmentSize: WALSegmentSize,
        startsAtRecord: Bool = true, systemIdentifier: String? = nil, pageSize: Int? = nil, beginning: LSN? = nil
    ) {
        self.timeline = timeline
        self.start = start
        self.end = end
        self.segmentSize = segmentSize
        self.startsAtRecord = startsAtRecord
        self.systemIdentifier = systemIdentifier
        self.pageSize = pageSize ?? 0
        isPageSizeGiven = pageSize != nil
        self.beginning = beginning
        limit = end ?? .unlimited
        wanted = start.segmentStart(segmentSize)
        next = start
        isComplete = limit <= start
    }

    /// Reads the next bytes.
    ///
    /// - Parameters:
    ///   - position: That of the first byte. Bytes before ``wanted`` are skipped; none may be missing.
    ///   - body: Gets each record that is sound.
    public mutating func take(_ bytes: RawSpan, at position: LSN, _ body: (WALRecord) -> Void) {
        var rest = bytes
        var place = position
        while flaw == nil, !isComplete, !rest.isEmpty {
            let needed = wanted.rawValue + UInt64(buffer.count)
            guard place.rawValue <= needed else {
                fail(.missing, at: LSN(rawValue: needed), "WAL from \(LSN(rawValue: needed)) to \(place) is missing")
                return
            }
            let skipped = needed - place.rawValue
            guard skipped < UInt64(rest.byteCount) else { return }
            rest = rest.extracting(Int(skipped)...)
            place = LSN(rawValue: needed)
            if format == nil {
                fill(to: WALPageHeader.byteCount, from: rest)
                if buffer.count == WALPageHeader.byteCount { begin() }
            } else if buffer.isEmpty, rest.byteCount >= pageSize {
                read(rest.extracting(..<pageSize), at: wanted, body)
            } else {
                fill(to: neededCount, from: rest)
                if buffer.count == neededCount { readBuffer(body) }
            }
        }
    }

    /// Tells that there are no more bytes. If that is before the end of the range, it is a flaw.
    public mutating func finish(_ body: (WALRecord) -> Void) {
        let stop = LSN(rawValue: wanted.rawValue + UInt64(buffer.count))
        if flaw == nil, !isComplete, format != nil, buffer.count >= Self.longHeader { readBuffer(body) }
        guard flaw == nil, !isComplete, end != nil || partial.isActive || format == nil else { return }
        fail(.missing, at: partial.isActive ? partial.position : max(next, start), "WAL ends at \(stop)")
    }

    /// How much of the next page is needed: up to the end of the range.
    private var neededCount: Int {
        let rest = limit.rawValue - min(limit.rawValue, wanted.rawValue)
        return rest >= UInt64(pageSize) ? pageSize : max(Int(rest), Self.longHeader)
    }

    mutating func fail(_ kind: WALFlaw.Kind, at position: LSN, _ message: String) {
        flaw = flaw ?? WALFlaw(kind: kind, position: position, timeline: timeline, message: message)
    }

    private mutating func fill(to count: Int, from rest: RawSpan) {
        rest.extracting(..<min(count - buffer.count, rest.byteCount)).append(to: &buffer)
    }

    private mutating func readBuffer(_ body: (WALRecord) -> Void) {
        var page: [UInt8] = []
        swap(&page, &buffer)
        read(page.rawSpan, at: wanted, body)
        page.removeAll(keepingCapacity: true)
        swap(&page, &buffer)
    }

    /// Finds out the format from the first page's header.
    private mutating func begin() {
        guard WALSegmentName(containing: start, timeline: timeline, size: segmentSize) != nil else {
            return fail(.start, at: start, "no server has a segment with \(start)")
        }
        let first = buffer
        guard let header = WALPageHeader(first) else {
            return first.rawSpan.isZero ? failAtZeros(wanted) : failAtHeader(wanted, first.rawSpan)
        }
        guard let format = WALFormat(magic: header.magic, order: header.order) else {
            return fail(
                .version, at: wanted, "\(place(wanted)) has the magic number \(hex(header.magic)) of an unknown version"
            )
        }
        self.format = format
        if pageSize == 0 { pageSize = header.pageSize }
        if systemIdentifier == nil { systemIdentifier = header.systemIdentifier }
    }
}
