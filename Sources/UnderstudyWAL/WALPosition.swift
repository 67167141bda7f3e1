/// A position on a timeline.
public struct WALPosition: Hashable, Sendable, Codable {
    public var timeline: TimelineID
    public var lsn: LSN

    public init(timeline: TimelineID, lsn: LSN) {
        self.timeline = timeline
        self.lsn = lsn
    }
}

/// WAL that the server removed before it was received. A restore cannot get past it.
public struct WALGap: Hashable, Sendable, Codable {
    /// The position after the last byte held before the gap: within a segment if a partial file holds some of it.
    public var start: WALPosition
    /// Where the archive continues: a segment's start.
    public var end: WALPosition

    public init(start: WALPosition, end: WALPosition) {
        self.start = start
        self.end = end
    }

    /// Behind the name of a segment: the file in an archive that notes a gap.
    package static let noteSuffix = ".missing"
}
