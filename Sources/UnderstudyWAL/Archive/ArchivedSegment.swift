public import UnderstudyCompression

/// A segment file of a WAL archive, parsed from its name: `000000010000000000000003`. An incomplete file ends in
/// `.partial`; a compression suffix comes before that: `000000010000000000000004.gz.partial`.
///
/// Source: the files that pg_receivewal writes.
public struct ArchivedSegment: Hashable, Sendable {
    public let segment: WALSegmentName
    /// nil if the file is not compressed.
    public let compression: Compression.Method?
    public let isPartial: Bool

    public static let partialSuffix = ".partial"

    public init(segment: WALSegmentName, compression: Compression.Method? = nil, isPartial: Bool) {
        self.segment = segment
        self.compression = compression
        self.isPartial = isPartial
    }

    /// Nil if the name is not that of a segment file, or if the number does not exist at this segment size.
    public init?(fileName: String, size: WALSegmentSize) {
        guard let segment = WALSegmentName(fileName.prefix(24), size: size),
            let (compression, isPartial) = Self.suffixes(of: fileName)
        else { return nil }
        self.init(segment: segment, compression: compression, isPartial: isPartial)
    }

    /// Whether the name has the form of a segment file's name, for any segment size.
    public static func isFileName(_ name: String) -> Bool {
        WALSegmentName.isSegmentName(name.prefix(24)) && suffixes(of: name) != nil
    }

    private static func suffixes(of name: String) -> (Compression.Method?, isPartial: Bool)? {
        var rest = name.dropFirst(24)
        let isPartial = rest.hasSuffix(partialSuffix)
        if isPartial { rest = rest.dropLast(partialSuffix.count) }
        if rest.isEmpty { return (nil, isPartial) }
        return Compression.Method.allCases.first { $0.fileSuffix == rest }.map { ($0, isPartial) }
    }

    public var fileName: String {
        segment.description + compression.fileSuffix + (isPartial ? Self.partialSuffix : "")
    }

    /// The position at which streaming continues after this file: the segment's end, or its start if the file is
    /// partial.
    public var nextLSN: LSN {
        isPartial ? segment.startLSN : segment.endLSN
    }

    /// Whether the file can hold this many bytes, without compression: a complete file has the segment's size, a partial
    /// one at most that.
    public func canHold(_ bytes: UInt64) -> Bool {
        isPartial ? bytes <= segment.size.bytes : bytes == segment.size.bytes
    }

    /// Whether this file is further along in the log than `other`: by segment number, then timeline, then completeness.
    public func isNewer(than other: ArchivedSegment) -> Bool {
        if segment.number != other.segment.number { return segment.number > other.segment.number }
        if segment.timeline != other.segment.timeline { return segment.timeline > other.segment.timeline }
        if isPartial != other.isPartial { return other.isPartial }
        return compression.fileSuffix < other.compression.fileSuffix
    }

    /// How the segment relates to a server's timeline history.
    package enum Relation: Equatable, Sendable {
        /// The segment is on the server's history, or may become part of it.
        case past
        /// The segment is on the server's history up to this position, where the history leaves the segment's timeline.
        /// Beyond it the file may hold other WAL; a complete file always does.
        case pastUpTo(LSN)
        /// The segment holds WAL that the server does not have, or has only from another timeline.
        case diverged
        /// The segment's timeline is newer than the server's.
        case future
    }

    package func relation(to history: TimelineHistory) -> Relation {
        if segment.timeline == history.timeline { return .past }
        if segment.timeline > history.timeline { return .future }
        guard let end = history.end(of: segment.timeline) else { return .diverged }
        if segment.endLSN <= end { return .past }
        if segment.startLSN >= end { return .diverged }
        return .pastUpTo(end)
    }
}

extension TimelineHistory {
    /// The position up to which `ancestor` belongs to this timeline's history: its switch point, or that of a younger
    /// ancestor if recovery went to an earlier point. Nil if `ancestor` is not in the history.
    fileprivate func end(of ancestor: TimelineID) -> LSN? {
        contains(ancestor) ? ancestors.lazy.filter { $0.timeline >= ancestor }.map(\.switchLSN).min() : nil
    }

    /// The position at which a timeline of this history begins. Nil for the first timeline, and for one not in the
    /// history.
    public func beginning(of other: TimelineID) -> LSN? {
        contains(other) ? ancestors.last { $0.timeline < other }?.switchLSN : nil
    }

    /// Whether two histories agree on the timelines before `timeline`. They disagree if two servers were promoted
    /// independently and took the same timeline number.
    public func agrees(with other: TimelineHistory, before timeline: TimelineID) -> Bool {
        func past(_ history: TimelineHistory) -> [(TimelineID, LSN)] {
            history.ancestors.filter { $0.timeline < timeline }.map { ($0.timeline, $0.switchLSN) }
        }
        return past(self).elementsEqual(past(other)) { $0 == $1 }
    }
}
