/// The WAL that a base backup needs: from where a restore of it begins to replay, at least up to where the backup ended.
/// Up to there its files are of different moments.
///
/// ``WALArchive/backups(at:)`` reads it from backups on this machine; a program that keeps backups elsewhere makes it from
/// what the backup returned:
///
/// ```swift
/// let range = BackupWALRange(
///     name: "monday", start: WALPosition(timeline: result.timeline, lsn: result.startLSN),
///     end: WALPosition(timeline: result.timeline, lsn: result.endLSN))
/// ```
public struct BackupWALRange: Hashable, Sendable, Codable {
    /// What messages call it: its path, where it has one.
    public var name: String
    /// The position that replay begins at, and the timeline that it is on.
    public var start: WALPosition
    /// The position from which on the backup is consistent; nil if nothing tells it. Backups have told it since 13, and
    /// their history files in an archive always.
    public var end: WALPosition?
    /// The label that its user gave it; nil if that was not found.
    public var label: String?
    /// Of its cluster; nil if that was not found.
    public var systemIdentifier: String?
    /// Of its cluster's WAL; nil if that was not found.
    public var segmentSize: WALSegmentSize?

    public init(
        name: String, start: WALPosition, end: WALPosition? = nil, label: String? = nil,
        systemIdentifier: String? = nil,
        segmentSize: WALSegmentSize? = nil
    ) {
        self.name = name
        self.start = start
        self.end = end
        self.label = label
        self.systemIdentifier = systemIdentifier
        self.segmentSize = segmentSize
    }
}
