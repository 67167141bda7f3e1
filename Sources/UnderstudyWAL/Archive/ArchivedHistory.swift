public import UnderstudyCompression

/// A timeline history file of a WAL archive, parsed from its name: `00000002.history`, or `00000002.history.gz`.
///
/// Source: the files that pg_receivewal writes.
public struct ArchivedHistory: Hashable, Sendable {
    public let timeline: TimelineID
    /// nil if the file is not compressed.
    public let compression: Compression.Method?

    /// All kinds, an uncompressed file first.
    static let compressions: [Compression.Method?] = [nil] + Compression.Method.allCases

    public init(timeline: TimelineID, compression: Compression.Method? = nil) {
        self.timeline = timeline
        self.compression = compression
    }

    /// Nil if the name is not that of a history file.
    public init?(fileName: String) {
        for compression in Self.compressions where fileName.hasSuffix(compression.fileSuffix) {
            guard let timeline = TimelineID(historyFileName: fileName.dropLast(compression.fileSuffix.count)) else {
                continue
            }
            self.init(timeline: timeline, compression: compression)
            return
        }
        return nil
    }

    public var fileName: String { timeline.historyFileName + compression.fileSuffix }
}
