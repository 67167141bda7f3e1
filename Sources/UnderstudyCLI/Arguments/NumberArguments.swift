/// The value of `--stall-timeout`: nil for no limit.
enum StallArgument {
    static func parse(_ text: String) throws(UsageError) -> Duration? {
        let limit = try NumberArgument.duration(text, option: "--stall-timeout")
        return limit == .zero ? nil : limit
    }
}

/// The value of `--max-lag`: nil for no limit.
enum LagArgument {
    static func parse(_ text: String) throws(UsageError) -> UInt64? {
        let limit = try NumberArgument.bytes(text, option: "--max-lag")
        return limit == 0 ? nil : limit
    }
}

/// Durations and numbers, as in PostgreSQL's options and postgresql.conf.
enum NumberArgument {
    /// `60`, `60s`, `5min`, `500ms`, `1h`, `1d`: seconds unless a unit follows.
    static func duration(_ text: String, option: String) throws(UsageError) -> Duration {
        let digits = text.prefix { ("0"..."9").contains($0) }
        let units: [Substring: Int64] = [
            "": 1000, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000,
        ]
        // The bound keeps the product, and any deadline computed from it, far from overflow.
        guard let number = Int64(digits), number <= 1_000_000_000, let unit = units[text[digits.endIndex...]] else {
            throw UsageError(
                "invalid value \"\(text)\" for option \(option)",
                hint: "Give a number with one of the units ms, s, min, h and d, such as 60s.")
        }
        return .milliseconds(number * unit)
    }

    /// `1048576`, `1024kB`, `64MB`, `10GB`, `1TB`: bytes unless a unit follows, each 1024 of the one before.
    static func bytes(_ text: String, option: String) throws(UsageError) -> UInt64 {
        let digits = text.prefix { ("0"..."9").contains($0) }
        let units: [Substring: UInt64] = [
            "": 1, "B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40,
        ]
        guard let number = UInt64(digits), let unit = units[text[digits.endIndex...]],
            case let (bytes, overflow) = number.multipliedReportingOverflow(by: unit), !overflow
        else {
            throw UsageError(
                "invalid value \"\(text)\" for option \(option)",
                hint: "Give a number of bytes, or one with a unit kB, MB, GB or TB, such as 10GB.")
        }
        return bytes
    }

    /// The same, but nothing counts as zero: the stock tools' parser takes it so.
    static func stockInteger(
        _ text: String, option: String, in range: ClosedRange<Int>
    ) throws(UsageError) -> Int {
        text.allSatisfy(\.isWhitespace) ? 0 : try integer(text, option: option, in: range)
    }

    /// A whole number within `range`; errors have the stock tools' wording.
    static func integer(_ text: String, option: String, in range: ClosedRange<Int>) throws(UsageError) -> Int {
        var number = text.drop { $0.isWhitespace }
        while number.last?.isWhitespace == true { number.removeLast() }
        let digits = number.first == "-" || number.first == "+" ? number.dropFirst() : number
        guard !digits.isEmpty, digits.allSatisfy({ ("0"..."9").contains($0) }) else {
            throw UsageError("invalid value \"\(text)\" for option \(option)")
        }
        // All digits, but no Int: too large, so out of the range as well.
        guard let value = Int(number), range.contains(value) else {
            throw UsageError("\(option) must be in range \(range.lowerBound)..\(range.upperBound)")
        }
        return value
    }
}
