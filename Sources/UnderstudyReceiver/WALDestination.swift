public import UnderstudyWAL

/// One segment of the write-ahead log.
public struct WALSegment: Hashable, Sendable {
    public let timeline: TimelineID
    /// The position of its first byte, a multiple of `size`.
    public let start: LSN
    /// Its length in bytes: a power of two, 16 MB unless the cluster was made with another one.
    public let size: Int
    /// The name of its file, 24 hexadecimal digits: `000000010000000000000003`.
    public let name: String
    /// The position behind its last byte.
    public let end: LSN

    package init(_ name: WALSegmentName) {
        timeline = name.timeline
        start = name.startLSN
        size = Int(name.size.bytes)
        end = name.endLSN
        self.name = name.description
    }
}

/// Where received WAL goes: a directory, an object store, whatever a program makes of it.
public protocol WALDestination: Sendable {
}
