/// A moment as text, looked at as far as that is sure without a server.
enum RecoveryTime {
    /// The most days of each month.
    private static let days = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

    /// Whether a text that begins with `YYYY-MM-DD`, and perhaps goes on with `HH:MM` or `HH:MM:SS`, names no date or
    /// time that there can be. Texts of other forms may be moments to the server, and pass.
    ///
    /// Source: `ValidateDate` and `DecodeTime` in `datetime.c`.
    static func isImpossible(_ text: String) -> Bool {
        var rest = text.utf8.drop { $0 == UInt8(ascii: " ") }
        guard number(&rest, 4...4) != nil, take(&rest, "-"), let month = number(&rest, 2...2), take(&rest, "-"),
            let day = number(&rest, 2...2)
        else { return false }
        let isEnd = rest.isEmpty
        guard isEnd || take(&rest, " ") || take(&rest, "T") else { return false }
        guard (1...12).contains(month), (1...days[month - 1]).contains(day) else { return true }
        rest = rest.drop { $0 == UInt8(ascii: " ") }
        guard let hour = number(&rest, 1...2), take(&rest, ":"), let minute = number(&rest, 2...2) else { return false }
        if hour > 24 || minute > 59 { return true }
        guard take(&rest, ":"), let second = number(&rest, 2...2) else { return false }
        return second > 60
    }

    /// Takes digits, as many as there are; nil if that is another count.
    private static func number(_ rest: inout Substring.UTF8View, _ count: ClosedRange<Int>) -> Int? {
        let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard count.contains(digits.count) else { return nil }
        rest = rest.dropFirst(digits.count)
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    private static func take(_ rest: inout Substring.UTF8View, _ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest = rest.dropFirst()
        return true
    }
}
