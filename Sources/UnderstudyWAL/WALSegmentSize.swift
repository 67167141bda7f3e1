/// The size of a cluster's WAL segment files: a power of two from 1 MB to 1 GB, as initdb accepts it.
public struct WALSegmentSize: Hashable, Sendable {
    /// A power of two from 1 MB to 1 GB.
    public let bytes: UInt64

    /// 16 MB. Before 11 this is the only size, unless the server was built with another.
    public static let `default` = WALSegmentSize(valid: 16 << 20)

    private init(valid bytes: UInt64) {
        self.bytes = bytes
    }

    /// Nil if no server can have segments of this size.
    public init?(bytes: UInt64) {
        guard (1 << 20...1 << 30).contains(bytes), bytes & (bytes - 1) == 0 else { return nil }
        self.init(valid: bytes)
    }

    /// Parses the output of `SHOW wal_segment_size`: a whole number with its unit, `16MB`.
    public init?(showText: String) {
        let digits = showText.prefix { ("0"..."9").contains($0) }
        guard let number = UInt64(digits) else { return nil }
        let shift: UInt64
        switch showText[digits.endIndex...] {
        case "B": shift = 0
        case "kB": shift = 10
        case "MB": shift = 20
        case "GB": shift = 30
        default: return nil
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
        guard !overflow else { return nil }
        self.init(bytes: bytes)
    }

    /// The number of segments in 4 GB of log: one step of the middle part of a segment name.
    var segmentsPerGroup: UInt64 {
        (1 << 32) / bytes
    }

    /// The number of usable segments. The last segment of the address space has no end LSN and does not count.
    var segmentCount: UInt64 {
        UInt64.max / bytes
    }
}

/// As its number of bytes.
extension WALSegmentSize: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let bytes = try container.decode(UInt64.self)
        guard let size = WALSegmentSize(bytes: bytes) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no size of segments: \(bytes)")
        }
        self = size
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(bytes)
    }
}
