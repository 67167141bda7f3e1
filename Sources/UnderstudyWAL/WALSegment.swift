/// One segment of the write-ahead log, as a destination receives it.
///
/// ```swift
/// let segment = WALSegment(timeline: 1, start: LSN("0/3000000")!, size: 16 << 20)!
/// segment.name  // 000000010000000000000003
/// segment.end   // 0/4000000
/// ```
public struct WALSegment: Hashable, Sendable {
    fileprivate let place: WALSegmentName
    /// The name of its file, 24 hexadecimal digits: `000000010000000000000003`.
    public let name: String

    public var timeline: TimelineID { place.timeline }
    /// The position of its first byte, a multiple of `size`.
    public var start: LSN { place.startLSN }
    /// The position after its last byte.
    public var end: LSN { place.endLSN }
    /// Its length in bytes: 16 MB unless the cluster was initialized with another size.
    public var size: Int { Int(place.size.bytes) }

    /// The segment that a name stands for.
    public init(_ name: WALSegmentName) {
        place = name
        self.name = name.description
    }

    /// The segment that begins at a position.
    ///
    /// - Parameters:
    ///   - start: A multiple of `size`.
    ///   - size: In bytes; see ``WALOrigin/segmentSize``.
    /// - Returns: Nil if no server can have such a segment: `size` is no segment size, no segment begins at `start`, or
    ///   it would end beyond the last LSN.
    public init?(timeline: TimelineID, start: LSN, size: Int) {
        guard let size = WALSegmentSize(bytes: UInt64(clamping: size)), start.isSegmentStart(size),
            let name = WALSegmentName(containing: start, timeline: timeline, size: size)
        else { return nil }
        self.init(name)
    }

    /// The segment that a file without suffix is named after.
    ///
    /// - Parameters:
    ///   - name: 24 hexadecimal digits, in upper case.
    ///   - size: In bytes.
    /// - Returns: Nil if no server gives that name to a segment of that size.
    public init?(name: some StringProtocol, size: Int) {
        guard let size = WALSegmentSize(bytes: UInt64(clamping: size)), let name = WALSegmentName(name, size: size)
        else { return nil }
        self.init(name)
    }
}

extension WALSegmentName {
    /// The name of a segment's file.
    public init(_ segment: WALSegment) {
        self = segment.place
    }
}
