extension LSN {
    /// The position `bytes` further on, or nil where the log cannot reach: positions come from a server, and a
    /// bad one must not trap.
    package func advanced(by bytes: UInt64) -> LSN? {
        let (sum, overflow) = rawValue.addingReportingOverflow(bytes)
        return overflow ? nil : LSN(rawValue: sum)
    }

    /// The number of bytes from here to `later`, or nil if that is before this position.
    package func distance(to later: LSN) -> UInt64? {
        self <= later ? later.rawValue - rawValue : nil
    }

    /// The start of the segment that this position lies in; a position on a boundary is its own.
    package func segmentStart(_ size: WALSegmentSize) -> LSN {
        LSN(rawValue: rawValue & ~(size.bytes - 1))
    }

    /// How far into its segment this position is.
    package func segmentOffset(_ size: WALSegmentSize) -> UInt64 {
        rawValue & (size.bytes - 1)
    }

    /// The number of the segment that this position lies in, counted from the start of the log.
    package func segmentNumber(_ size: WALSegmentSize) -> UInt64 {
        rawValue / size.bytes
    }

    package func isSegmentStart(_ size: WALSegmentSize) -> Bool {
        segmentOffset(size) == 0
    }
}

extension LSN {
    /// A limit that limits nothing.
    package static let unlimited = LSN(rawValue: .max)
}
