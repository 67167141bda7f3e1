/// The files of a WAL archive by their names, whether they lie in a directory or in an object store: what the archive
/// holds, as far as names tell.
///
/// ```swift
/// let listing = ArchiveListing(objects.map { .init($0.name, size: $0.size) }, segmentSize: .default)
/// let plan = listing.plan(for: history)
/// if let file = plan.ahead { throw WALDestinationError("\(file.fileName) is newer than the server") }
/// for file in plan.diverged { move(file.fileName, to: "diverged/") }
/// if let forked = plan.forked { divide(forked.file.fileName, at: forked.limit) }
/// return WALHoldings(next: plan.next)
/// ```
///
/// Names are those that pg_receivewal gives: `000000010000000000000003` for a complete segment, with `.partial` for an
/// incomplete one, `00000002.history`, each with `.gz`, `.lz4` or `.zst` if it is compressed.
public struct ArchiveListing: Sendable {
    /// A file or an object.
    public struct File: Sendable, Hashable {
        /// Without directories.
        public var name: String
        /// In bytes, as it is stored; nil if that was not looked up.
        public var size: UInt64?

        public init(_ name: String, size: UInt64? = nil) {
            self.name = name
            self.size = size
        }

        init(_ file: ArchivedFile) {
            self.init(file.name, size: file.bytes)
        }
    }

    public let segmentSize: WALSegmentSize
    /// The segment files, newest first.
    public let segments: [ArchivedSegment]
    /// Segment files of no use, because an intact one cannot have their size. Not among `segments`.
    public let missized: [ArchivedSegment]
    /// The history files, in no order.
    public let histories: Set<ArchivedHistory>
    /// A file that is named like a segment of another size, if no file is a segment of this size.
    public let otherSize: String?

    /// - Parameter files: All files. Other names than those of segments and histories are skipped.
    public init(_ files: some Sequence<File>, segmentSize: WALSegmentSize) {
        self.segmentSize = segmentSize
        var segments: [ArchivedSegment] = []
        var missized: [ArchivedSegment] = []
        var histories: Set<ArchivedHistory> = []
        var otherSize: String?
        for file in files {
            let name = file.name
            if let segment = ArchivedSegment(fileName: name, size: segmentSize) {
                // Of a compressed file, the size tells nothing.
                let isSound = segment.compression != nil || file.size.map(segment.canHold) ?? true
                if isSound { segments.append(segment) } else { missized.append(segment) }
            } else if let history = ArchivedHistory(fileName: name) {
                histories.insert(history)
            } else if otherSize == nil, ArchivedSegment.isFileName(name) {
                otherSize = name
            }
        }
        self.segments = segments.sorted { $0.isNewer(than: $1) }
        self.histories = histories
        self.missized = missized
        self.otherSize = segments.isEmpty && missized.isEmpty ? otherSize : nil
    }

    /// - Parameter names: The names of all files, without directories.
    public init(names: some Sequence<String>, segmentSize: WALSegmentSize) {
        self.init(names.lazy.map { File($0) }, segmentSize: segmentSize)
    }

    /// The history file of a timeline, an uncompressed one first; nil if there is none.
    public func history(of timeline: TimelineID) -> ArchivedHistory? {
        ArchivedHistory.compressions.lazy.map { ArchivedHistory(timeline: timeline, compression: $0) }
            .first { histories.contains($0) }
    }

    /// Whether the archive has a complete file for each segment of a gap: it was filled since it was recorded.
    public func fills(_ gap: WALGap) -> Bool {
        let missing = gap.segmentNumbers(segmentSize)
        let complete = segments.lazy.filter { !$0.isPartial && missing.contains($0.segment.number) }
        return Set(complete.map(\.segment.number)).count == missing.count
    }

    /// The complete files that end after one position, and not after another: what must be on stable storage before the
    /// second is acknowledged, if the first was before.
    public func complete(after start: LSN, upTo end: LSN) -> [ArchivedSegment] {
        segments.filter { !$0.isPartial && $0.segment.endLSN > start && $0.segment.endLSN <= end }
    }

    /// The partial files of older timelines that hold the beginning of a segment. A restore takes the file of the newest
    /// timeline, so that file must not get its name before it holds as much as they do.
    ///
    /// - Parameters:
    ///   - segment: The segment that is about to be written.
    ///   - history: The history of its timeline; nil if it is not known.
    /// - Returns: The files, and the offset in the segment up to which they belong to its past.
    public func beginnings(
        of segment: WALSegmentName, _ history: TimelineHistory?
    ) -> (files: [ArchivedSegment], limit: UInt64) {
        let history = history?.timeline == segment.timeline ? history : nil
        var limit = segmentSize.bytes
        if let beginning = history?.beginning(of: segment.timeline) {
            guard let offset = segment.startLSN.distance(to: beginning), offset > 0 else { return ([], 0) }
            limit = min(limit, offset)
        }
        let files = segments.filter { file in
            file.isPartial && file.segment.number == segment.number && file.segment.timeline < segment.timeline
                && history?.contains(file.segment.timeline) ?? true
        }
        return (files, limit)
    }
}

extension WALGap {
    /// The numbers of the segments that are missing, or that are incomplete.
    func segmentNumbers(_ size: WALSegmentSize) -> Range<UInt64> {
        let first = start.lsn.segmentNumber(size)
        return first..<max(first, end.lsn.segmentNumber(size))
    }
}
