extension LSN {
    /// The position `bytes` further on, or nil beyond the last LSN. Positions come from a server, and a bad one must
    /// not trap.
    package func advanced(by bytes: UInt64) -> LSN? {
        let (sum, overflow) = rawValue.addingReportingOverflow(bytes)
        return overflow ? nil : LSN(rawValue: sum)
    }

    /// The number of bytes from here to `later`, or nil if that is before this position.
    package func distance(to later: LSN) -> UInt64? {
        self <= later ? later.rawValue - rawValue : nil
    }

    /// The start of the segment that contains this position. A position on a boundary is its own segment start.
    package func segmentStart(_ size: WALSegmentSize) -> LSN {
        LSN(rawValue: rawValue & ~(size.bytes - 1))
    }

    /// The offset of this position in its segment.
    package func segmentOffset(_ size: WALSegmentSize) -> UInt64 {
        rawValue & (size.bytes - 1)
    }

    /// The number of the segment that contains this position, counted from the start of the log.
    package func segmentNumber(_ size: WALSegmentSize) -> UInt64 {
        rawValue / size.bytes
    }

    package func isSegmentStart(_ size: WALSegmentSize) -> Bool {
        segmentOffset(size) == 0
    }
}

extension LSN {
    /// No limit: beyond every position.
    package static let unlimited = LSN(rawValue: .max)
}
