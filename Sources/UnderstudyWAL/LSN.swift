/// A log sequence number: a byte position in the write-ahead log.
///
/// The text form is the server's: two hexadecimal halves with a slash, `16/B374D848`. Servers up to 18 do not pad the
/// low half; 19 pads it to eight digits. Both forms are read; the unpadded form is written.
///
/// Source: PostgreSQL manual, "pg_lsn Type".
public struct LSN: RawRepresentable, Hashable, Comparable, Sendable {
    /// Bytes since the start of the log.
    public var rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The position that PostgreSQL calls invalid: `0/0`.
    public static let invalid = LSN(rawValue: 0)

    public static func < (left: LSN, right: LSN) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension LSN: LosslessStringConvertible {
    /// Parses `XXXXXXXX/XXXXXXXX`, one to eight hexadecimal digits in each half. Nil for anything else.
    public init?(_ description: String) {
        let halves = description.split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2, let high = Self.half(halves[0]), let low = Self.half(halves[1]) else { return nil }
        self.init(rawValue: UInt64(high) << 32 | UInt64(low))
    }

    private static func half(_ text: Substring) -> UInt32? {
        guard (1...8).contains(text.utf8.count), text.allSatisfy(\.isHexDigit) else { return nil }
        return UInt32(text, radix: 16)
    }

    public var description: String {
        "\(Self.hex(rawValue >> 32))/\(Self.hex(rawValue & 0xFFFF_FFFF))"
    }

    private static func hex(_ value: UInt64) -> String {
        String(value, radix: 16, uppercase: true)
    }
}

/// Encoded as text: `"16/B374D848"`.
extension LSN: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer(), text = try container.decode(String.self)
        guard let position = LSN(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\"\(text)\" is no WAL position")
        }
        self = position
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// A timeline number; 1 for a cluster that was never promoted.
public struct TimelineID: RawRepresentable, Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    public var rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public static func < (left: TimelineID, right: TimelineID) -> Bool {
        left.rawValue < right.rawValue
    }

    public var description: String {
        "\(rawValue)"
    }
}

extension TimelineID: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: UInt32) {
        self.init(rawValue: value)
    }
}
