/// Arithmetic that never traps: positions come from a server, which may send any.
///
/// ```swift
/// let size = WALSegmentSize.default
/// let position = LSN("0/3000028")!
/// position.segmentStart(size)                       // 0/3000000
/// position.advanced(by: size.bytes)                 // 0/4000028
/// position.segmentStart(size).distance(to: position)  // 40
/// ```
extension LSN {
    /// The position `bytes` further on; nil beyond the last LSN.
    public func advanced(by bytes: UInt64) -> LSN? {
        let (sum, overflow) = rawValue.addingReportingOverflow(bytes)
        return overflow ? nil : LSN(rawValue: sum)
    }

    /// The number of bytes from here to `later`; nil if that is before this position.
    public func distance(to later: LSN) -> UInt64? {
        self <= later ? later.rawValue - rawValue : nil
    }

    /// The start of the segment that contains this position. A position on a boundary is its own segment start.
    public func segmentStart(_ size: WALSegmentSize) -> LSN {
        LSN(rawValue: rawValue & ~(size.bytes - 1))
    }

    /// The offset of this position in its segment, in bytes.
    public func segmentOffset(_ size: WALSegmentSize) -> UInt64 {
        rawValue & (size.bytes - 1)
    }

    /// The number of the segment that contains this position, counted from the start of the log.
    public func segmentNumber(_ size: WALSegmentSize) -> UInt64 {
        rawValue / size.bytes
    }

    /// Whether a segment begins at this position.
    public func isSegmentStart(_ size: WALSegmentSize) -> Bool {
        segmentOffset(size) == 0
    }
}

extension LSN {
    /// No limit: beyond every position.
    package static let unlimited = LSN(rawValue: .max)
}
