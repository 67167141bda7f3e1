/// The name of a WAL segment file: a timeline and a segment number.
///
/// The text form is 24 upper-case hexadecimal digits, `TTTTTTTTXXXXXXXXYYYYYYYY`: the timeline, the 4 GB group, and the
/// segment within the group. The range of the log that a name stands for depends on the segment size.
///
/// ```swift
/// let name = WALSegmentName("0000000A00000016000000B3", size: .default)!
/// name.timeline  // 10
/// name.startLSN  // 16/B3000000
/// ```
///
/// Source: PostgreSQL manual, "Write-Ahead Log Internals".
public struct WALSegmentName: Hashable, Sendable {
    public let timeline: TimelineID
    /// The segment's number, counted from the start of the log. Always less than `size.segmentCount`, so `endLSN`
    /// exists.
    public let number: UInt64
    public let size: WALSegmentSize

    /// Nil if the segment would end beyond the last LSN.
    public init?(timeline: TimelineID, number: UInt64, size: WALSegmentSize) {
        guard number < size.segmentCount else { return nil }
        self.timeline = timeline
        self.number = number
        self.size = size
    }

    /// The segment that contains `position`. A position on a boundary belongs to the segment that begins there.
    public init?(containing position: LSN, timeline: TimelineID, size: WALSegmentSize) {
        self.init(timeline: timeline, number: position.segmentNumber(size), size: size)
    }

    /// Parses a file name without suffix. Lower-case digits are refused, as by servers.
    public init?(_ name: some StringProtocol, size: WALSegmentSize) {
        guard let parts = Self.parts(name), parts[2] < size.segmentsPerGroup else { return nil }
        self.init(
            timeline: TimelineID(rawValue: UInt32(parts[0])), number: parts[1] * size.segmentsPerGroup + parts[2],
            size: size)
    }

    /// Whether a name has the form of a segment file's name, for any segment size.
    public static func isSegmentName(_ name: some StringProtocol) -> Bool {
        parts(name) != nil
    }

    /// The position of its first byte.
    public var startLSN: LSN {
        LSN(rawValue: number * size.bytes)
    }

    /// The first position after this segment.
    public var endLSN: LSN {
        LSN(rawValue: (number + 1) * size.bytes)
    }

    /// The next segment on the same timeline; nil at the end of the address space.
    public var next: WALSegmentName? {
        WALSegmentName(timeline: timeline, number: number + 1, size: size)
    }

    /// Whether a position is one of this segment's bytes.
    public func contains(_ position: LSN) -> Bool {
        startLSN <= position && position < endLSN
    }

    /// The three parts of the name, eight digits each.
    private static func parts(_ name: some StringProtocol) -> [UInt64]? {
        guard name.utf8.count == 24 else { return nil }
        var parts: [UInt64] = [0, 0, 0]
        for (index, byte) in name.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                parts[index / 8] = parts[index / 8] << 4 | UInt64(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "A")...UInt8(ascii: "F"):
                parts[index / 8] = parts[index / 8] << 4 | UInt64(byte - UInt8(ascii: "A") + 10)
            default: return nil
            }
        }
        return parts
    }
}

extension WALSegmentName: CustomStringConvertible {
    public var description: String {
        eightHexDigits(UInt64(timeline.rawValue)) + eightHexDigits(number / size.segmentsPerGroup)
            + eightHexDigits(number % size.segmentsPerGroup)
    }
}

extension TimelineID {
    /// The name of the timeline's history file: `00000002.history`. Timeline 1 has no such file.
    public var historyFileName: String {
        eightHexDigits(UInt64(rawValue)) + Self.historySuffix
    }

    /// The timeline that a history file without compression suffix is named after; nil if the name is not that of such
    /// a file.
    public init?(historyFileName name: some StringProtocol) {
        guard name.hasSuffix(Self.historySuffix),
            let timeline = UInt32(name.dropLast(Self.historySuffix.count), radix: 16)
        else { return nil }
        self.init(rawValue: timeline)
        guard historyFileName == name else { return nil }
    }

    private static let historySuffix = ".history"
}

private func eightHexDigits(_ value: UInt64) -> String {
    let digits = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
}
