/// The time of a file's last change as manifests have it: `2026-11-28 17:00:00 GMT`.
enum ManifestTime {
    /// - Parameter seconds: Since 1970-01-01 00:00:00 UTC, of which each day has 86,400.
    static func text(_ seconds: Int64) -> String {
        let day = floorDivide(seconds, 86_400)
        let time = seconds - day * 86_400
        let (year, month, dayOfMonth) = date(ofDay: day)
        let fields = [month, dayOfMonth, time / 3600, time / 60 % 60, time % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }
        return "\(year)-\(fields[0])-\(fields[1]) \(fields[2]):\(fields[3]):\(fields[4]) GMT"
    }

    /// The date in the Gregorian calendar; years begin in March here, so that the leap day is the last one.
    private static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        // Days since 0000-03-01; 400 years have 146,097.
        let days = day + 719_468
        let era = floorDivide(days, 146_097)
        let ofEra = days - era * 146_097
        let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        // Months of 31, 30, 31, 30, 31 days, twice, and what remains.
        let marchMonth = (5 * ofYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, ofYear - (153 * marchMonth + 2) / 5 + 1)
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }
}
