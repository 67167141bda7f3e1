package import Glibc

/// A time in UTC as calendar fields: gmtime_r(3).
package struct UTCTime: Sendable {
    private let year: Int
    private let month: Int
    private let day: Int
    private let hour: Int
    private let minute: Int
    private let second: Int

    /// - Parameter seconds: Seconds since 1970-01-01 00:00:00 UTC.
    package init(_ seconds: time_t) {
        var seconds = seconds, fields = unsafe tm()
        // gmtime_r fills the struct.
        unsafe gmtime_r(&seconds, &fields)
        year = Int(unsafe fields.tm_year) + 1900
        month = Int(unsafe fields.tm_mon) + 1
        day = Int(unsafe fields.tm_mday)
        hour = Int(unsafe fields.tm_hour)
        minute = Int(unsafe fields.tm_min)
        second = Int(unsafe fields.tm_sec)
    }

    package static var now: UTCTime { UTCTime(time(nil)) }

    /// For display: `2026-11-24 08:15:00 UTC`.
    package var text: String {
        "\(year)-\(padded(month))-\(padded(day)) \(padded(hour)):\(padded(minute)):\(padded(second)) UTC"
    }

    /// For file names: `20261124T081500Z`.
    package var compactText: String {
        "\(year)\(padded(month))\(padded(day))T\(padded(hour))\(padded(minute))\(padded(second))Z"
    }

    private func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : String(number) }
}
