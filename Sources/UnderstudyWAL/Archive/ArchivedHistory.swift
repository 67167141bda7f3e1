/// A timeline history file of a WAL archive, parsed from its name: `00000002.history`, or `00000002.history.gz`.
///
/// Source: the files that pg_receivewal writes.
public struct ArchivedHistory: Hashable, Sendable {
    public let timeline: TimelineID
    public let compression: ArchivedSegment.Compression

    public init(timeline: TimelineID, compression: ArchivedSegment.Compression) {
        self.timeline = timeline
        self.compression = compression
    }

    /// Nil if the name is not that of a history file.
    public init?(fileName: String) {
        for compression in ArchivedSegment.Compression.allCases where fileName.hasSuffix(compression.rawValue) {
            guard let timeline = TimelineID(historyFileName: fileName.dropLast(compression.rawValue.count)) else {
                continue
            }
            self.init(timeline: timeline, compression: compression)
            return
        }
        return nil
    }

    public var fileName: String { timeline.historyFileName + compression.rawValue }
}
