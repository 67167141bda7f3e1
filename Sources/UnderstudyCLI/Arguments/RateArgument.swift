import Understudy

/// The value of `--max-rate`: kilobytes per second, with the stock tool's suffixes `k` and `M`.
enum RateArgument {
    /// The range that the server accepts for MAX_RATE.
    static let allowed = 32.0...1_048_576.0

    static func parse(_ text: String) throws(UsageError) -> TransferRate {
        let trimmed = text.drop { $0.isWhitespace }
        let digits = numeral(trimmed)
        guard let number = Double(String(digits)) else {
            throw UsageError("transfer rate \"\(text)\" is not a valid value")
        }
        guard number.isFinite else {
            throw UsageError("invalid transfer rate \"\(text)\": Numerical result out of range")
        }
        guard number > 0 else { throw UsageError("transfer rate must be greater than zero") }
        var suffix = trimmed[digits.endIndex...].drop { $0.isWhitespace }
        while suffix.last?.isWhitespace == true { suffix.removeLast() }
        let rate: Double
        switch suffix {
        case "", "k": rate = number
        case "M": rate = number * 1024
        default: throw UsageError("invalid --max-rate unit: \"\(suffix)\"")
        }
        // The stock tool's conversions let the largest ones pass this test.
        guard !(0x1p32..<0x1p64).contains(rate.rounded(.down)) else {
            throw UsageError("transfer rate \"\(text)\" exceeds integer range")
        }
        guard allowed.contains(rate.rounded(.down)) else {
            throw UsageError(
                "transfer rate \"\(text)\" is out of range",
                hint: "The rate must be between 32 kB/s and 1 GB/s, which is 1024M.")
        }
        return .kilobytesPerSecond(Int(rate))
    }

    /// The longest prefix that is a decimal number by strtod's rules.
    private static func numeral(_ text: Substring) -> Substring {
        var end = text.startIndex
        func skip(while matches: (Character) -> Bool) -> Bool {
            let start = end
            while end < text.endIndex, matches(text[end]) { end = text.index(after: end) }
            return end > start
        }
        func skipOne(of characters: String) -> Bool {
            guard end < text.endIndex, characters.contains(text[end]) else { return false }
            end = text.index(after: end)
            return true
        }
        let isDigit: (Character) -> Bool = { ("0"..."9").contains($0) }
        _ = skipOne(of: "+-")
        _ = skip(while: isDigit)
        if skipOne(of: ".") { _ = skip(while: isDigit) }
        let mantissa = end
        if skipOne(of: "eE") {
            _ = skipOne(of: "+-")
            if !skip(while: isDigit) { end = mantissa }
        }
        return text[..<end]
    }
}
