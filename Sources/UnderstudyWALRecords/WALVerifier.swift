public import UnderstudyWAL

/// Verifies that ranges of WAL, such as those in a backup's manifest, are there without a gap, over timelines.
///
/// It does no I/O: it says which segment it wants, and takes that one's bytes in any pieces. So WAL may come from files, from
/// an archive that is read once for each time that its members are not in their order, or from anywhere else. Memory does
/// not grow with the WAL.
///
/// ```swift
/// while let request = verifier.request {
///     guard let segment = request.segments.first(where: { files[$0] != nil }) else {
///         verifier.skip()
///         continue
///     }
///     verifier.take(files[segment]!, at: segment.startLSN) { record in count += 1 }
///     verifier.finishSegment(segment) { _ in }
/// }
/// print(verifier.flaws)
/// ```
public struct WALVerifier: Sendable {
    /// What is needed next.
    public struct Request: Hashable, Sendable {
        /// Any of these will do. The first is of the range's timeline; where the next range begins in the same segment, that
        /// one's file has a copy of what stands before it.
        public var segments: [WALSegmentName]
        /// The first byte that is needed, in the segment's first page or later.
        public var position: LSN
    }

    public let ranges: [WALRange]
    /// What is wrong, at most one thing in each range. It ends the range; the next one is read all the same.
    public private(set) var flaws: [WALFlaw] = []
    /// The number of sound records.
    public private(set) var recordCount: UInt64 = 0

    private let segmentSize: WALSegmentSize
    private let systemIdentifier: String?
    private let pageSize: Int?
    /// That of the range being read; its count when all is over.
    private var index = 0
    private var reader: WALRecordReader

    /// - Parameters:
    ///   - ranges: Oldest first; each one begins where the one before ends.
    ///   - systemIdentifier: Of the cluster; if nil, all segments of a range must have that of its first one.
    ///   - pageSize: Of its WAL, in bytes; likewise.
    public init(
        _ ranges: [WALRange], segmentSize: WALSegmentSize, systemIdentifier: String? = nil, pageSize: Int? = nil
    ) {
        self.ranges = ranges
        self.segmentSize = segmentSize
        self.systemIdentifier = systemIdentifier
        self.pageSize = pageSize
        reader = WALRecordReader(timeline: 1, from: .invalid, upTo: .invalid, segmentSize: segmentSize)
        guard !ranges.isEmpty else { return }
        reader = newReader(after: nil)
        advance()
    }

    /// nil when all was read that can be.
    public var request: Request? {
        guard index < ranges.count else { return nil }
        let position = reader.wanted
        var timelines = [ranges[index].timeline]
        // The segment in which a timeline begins has a copy of the one before it, up to there.
        if index + 1 < ranges.count, ranges[index + 1].start.segmentStart(segmentSize) <= position {
            timelines.append(ranges[index + 1].timeline)
        }
        let segments = timelines.compactMap {
            WALSegmentName(containing: position, timeline: $0, size: segmentSize)
        }
        return Request(segments: segments, position: position)
    }

    /// Takes the next bytes of a requested segment; those before the position that is needed are skipped.
    ///
    /// - Parameter body: Gets each record that is sound.
    public mutating func take(_ bytes: RawSpan, at position: LSN, _ body: (WALRecord) -> Void) {
        guard index < ranges.count else { return }
        reader.take(bytes, at: position, body)
    }

    /// Whether the segment whose bytes come has no more of what is needed.
    public func isOver(_ segment: WALSegmentName) -> Bool {
        index >= ranges.count || reader.flaw != nil || reader.isComplete || reader.wanted >= segment.endLSN
    }

    /// Tells that all bytes came that the requested segment has.
    public mutating func finishSegment(_ segment: WALSegmentName, _ body: (WALRecord) -> Void) {
        guard index < ranges.count else { return }
        if !isOver(segment) { reader.finish(body) }
        advance()
    }

    /// Tells that none of the requested segments is there.
    public mutating func skip() {
        guard let request, let segment = request.segments.first else { return }
        reader.fail(
            .missing, at: request.position,
            "WAL segment \(segment) is missing")
        advance()
    }

    /// Goes on to the next range, if this one is over.
    private mutating func advance() {
        while index < ranges.count, reader.flaw != nil || reader.isComplete {
            finishRange()
            let last = reader
            index += 1
            guard index < ranges.count else { return }
            reader = newReader(after: last)
        }
    }

    private mutating func finishRange() {
        recordCount += reader.recordCount
        let range = ranges[index], isLast = index + 1 == ranges.count
        if let flaw = reader.flaw {
            flaws.append(flaw)
        } else if let cut = reader.cutRecord, isLast || ranges[index + 1].start != range.end {
            flaws.append(
                WALFlaw(
                    kind: .end, position: cut, timeline: range.timeline,
                    message: "the record at \(cut) goes on behind \(range.end), where the WAL ends"))
        } else if !isLast, ranges[index + 1].start != range.end {
            let next = ranges[index + 1]
            flaws.append(
                WALFlaw(
                    kind: .missing, position: range.end, timeline: range.timeline,
                    message: "the WAL of timeline \(range.timeline) ends at \(range.end), that of timeline "
                        + "\(next.timeline) begins at \(next.start)"))
        }
    }

    /// - Parameter last: That of the range before; nil for the first.
    private func newReader(after last: WALRecordReader?) -> WALRecordReader {
        let range = ranges[index]
        var reader = WALRecordReader(
            timeline: range.timeline, from: range.start, upTo: range.end, segmentSize: segmentSize,
            systemIdentifier: systemIdentifier ?? last?.systemIdentifier, pageSize: pageSize,
            beginning: last == nil ? nil : range.start)
        // A server that is promoted within a record gives that one up, and writes another in its place.
        if let last, last.flaw == nil, last.end == range.start {
            reader.predecessor = last.lastRecord
            reader.abandoned = last.cutRecord
        }
        return reader
    }
}
