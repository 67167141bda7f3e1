/// Sizes and times as readable text.
package enum Quantity {
    /// In PostgreSQL's units, of 1024 each: `512 bytes`, `1.4 GB`.
    package static func bytes(_ count: UInt64) -> String {
        guard count >= 1024 else { return count == 1 ? "1 byte" : "\(count) bytes" }
        let names = ["kB", "MB", "GB", "TB", "PB", "EB"]
        var unit: UInt64 = 1024
        var index = 0
        // A value that would be rounded up to 1024.0 belongs to the next unit.
        while index < names.count - 1, tenths(of: count, unit: unit) >= 10240 {
            unit *= 1024
            index += 1
        }
        let value = tenths(of: count, unit: unit)
        return "\(value / 10).\(value % 10) \(names[index])"
    }

    private static func tenths(of count: UInt64, unit: UInt64) -> UInt64 {
        let (whole, rest) = count.quotientAndRemainder(dividingBy: unit)
        // `rest` is below 2^60, so ten times it fits.
        return whole * 10 + (rest * 10 + unit / 2) / unit
    }

    /// `0:07`, `12:34`, `1:02:03`; fractions of a second are dropped.
    package static func clock(_ duration: Duration) -> String {
        let seconds = max(0, duration.components.seconds)
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
        return hours > 0
            ? "\(hours):\(two(minutes)):\(two(seconds % 60))" : "\(minutes):\(two(seconds % 60))"
    }

    /// Seconds, truncated to milliseconds.
    package static func seconds(_ duration: Duration) -> Double {
        let (seconds, attoseconds) = duration.components
        let thousandths = Double(attoseconds / 1_000_000_000_000_000)
        return (Double(seconds) * 1000 + thousandths) / 1000
    }
}
