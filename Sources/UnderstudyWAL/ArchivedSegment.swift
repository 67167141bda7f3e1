/// A file of a WAL archive that holds a segment, by its name: `000000010000000000000003`, with `.partial` while it is not
/// complete, and the suffix of its compression before that: `000000010000000000000004.gz.partial`.
///
/// Source: the files that pg_receivewal writes.
package struct ArchivedSegment: Hashable, Sendable {
    package let segment: WALSegmentName
    package let compression: Compression
    package let isPartial: Bool

    package enum Compression: String, Hashable, Sendable, CaseIterable {
        case none = ""
        case gzip = ".gz"
        case lz4 = ".lz4"
        case zstd = ".zst"
    }

    package static let partialSuffix = ".partial"

    package init(segment: WALSegmentName, compression: Compression, isPartial: Bool) {
        self.segment = segment
        self.compression = compression
        self.isPartial = isPartial
    }

    /// Nil for a name that is no segment's, or that no segment of this size can have.
    package init?(fileName: String, size: WALSegmentSize) {
        guard let segment = WALSegmentName(fileName.prefix(24), size: size),
            let (compression, isPartial) = Self.suffixes(of: fileName)
        else { return nil }
        self.init(segment: segment, compression: compression, isPartial: isPartial)
    }

    /// Whether a name has the form of such a file's, whatever the segment size.
    package static func isFileName(_ name: String) -> Bool {
        WALSegmentName.isSegmentName(name.prefix(24)) && suffixes(of: name) != nil
    }

    private static func suffixes(of name: String) -> (Compression, isPartial: Bool)? {
        var rest = name.dropFirst(24)
        let isPartial = rest.hasSuffix(partialSuffix)
        if isPartial { rest = rest.dropLast(partialSuffix.count) }
        guard let compression = Compression(rawValue: String(rest)) else { return nil }
        return (compression, isPartial)
    }

    package var fileName: String {
        segment.description + compression.rawValue + (isPartial ? Self.partialSuffix : "")
    }

    /// Where a stream goes on behind it: at its start again as long as it is not complete.
    package var nextLSN: LSN {
        isPartial ? segment.startLSN : segment.endLSN
    }

    /// Whether this one leads further into the log than another: by place, then timeline, then completeness.
    package func isNewer(than other: ArchivedSegment) -> Bool {
        if segment.number != other.segment.number { return segment.number > other.segment.number }
        if segment.timeline != other.segment.timeline { return segment.timeline > other.segment.timeline }
        if isPartial != other.isPartial { return other.isPartial }
        return compression.rawValue < other.compression.rawValue
    }

    /// How it stands to a server's past.
    package enum Relation: Equatable, Sendable {
        /// All of it is of the server's past, or may become it.
        case past
        /// It is up to this position, where the server's past leaves its timeline; behind it, it may hold something else,
        /// and a complete one does.
        case pastUpTo(LSN)
        /// It holds WAL that the server does not have, or only from another timeline.
        case diverged
        /// Its timeline is younger than the server's.
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
    /// Up to where an ancestor is of this timeline's past: to its switch, or to that of a younger ancestor if recovery
    /// went to a point before it. nil for one that is not in the history.
    fileprivate func end(of ancestor: TimelineID) -> LSN? {
        contains(ancestor) ? ancestors.lazy.filter { $0.timeline >= ancestor }.map(\.switchLSN).min() : nil
    }

    /// Where a timeline of this history begins; nil for the first one, and for one that is not in it.
    package func beginning(of other: TimelineID) -> LSN? {
        contains(other) ? ancestors.last { $0.timeline < other }?.switchLSN : nil
    }

    /// Whether two histories tell the same of the timelines before `timeline`. They do not where a number was given
    /// twice: by two servers that were promoted without knowing of each other.
    package func agrees(with other: TimelineHistory, before timeline: TimelineID) -> Bool {
        func past(_ history: TimelineHistory) -> [(TimelineID, LSN)] {
            history.ancestors.filter { $0.timeline < timeline }.map { ($0.timeline, $0.switchLSN) }
        }
        return past(self).elementsEqual(past(other)) { $0 == $1 }
    }
}
