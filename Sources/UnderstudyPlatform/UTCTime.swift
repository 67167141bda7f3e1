package import Glibc

/// A time in UTC as calendar fields: gmtime_r(3).
package struct UTCTime: Sendable {
    private let seconds: time_t
    private let nanoseconds: Int
    private let year: Int
    private let month: Int
    private let day: Int
    private let hour: Int
    private let minute: Int
    private let second: Int
    private let millisecond: Int

    /// - Parameters:
    ///   - seconds: Seconds since 1970-01-01 00:00:00 UTC.
    ///   - nanoseconds: Those since that second; fractions of a millisecond are dropped.
    package init(_ seconds: time_t, nanoseconds: Int = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
        var seconds = seconds, fields = unsafe tm()
        millisecond = nanoseconds / 1_000_000
        // gmtime_r fills the struct.
        unsafe gmtime_r(&seconds, &fields)
        year = Int(unsafe fields.tm_year) + 1900
        month = Int(unsafe fields.tm_mon) + 1
        day = Int(unsafe fields.tm_mday)
        hour = Int(unsafe fields.tm_hour)
        minute = Int(unsafe fields.tm_min)
        second = Int(unsafe fields.tm_sec)
    }

    package static var now: UTCTime {
        var time = timespec()
        // clock_gettime fills the struct.
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        return UTCTime(time.tv_sec, nanoseconds: time.tv_nsec)
    }

    /// The time so long before.
    package func earlier(by duration: Duration) -> UTCTime {
        let (whole, part) = duration.components
        let total = nanoseconds - Int(part / 1_000_000_000)
        let carry = total < 0 ? 1 : total / 1_000_000_000
        return total < 0
            ? UTCTime(seconds - Int(whole) - carry, nanoseconds: total + 1_000_000_000)
            : UTCTime(seconds - Int(whole) + carry, nanoseconds: total - carry * 1_000_000_000)
    }

    /// For display: `2026-11-24 08:15:00 UTC`.
    package var text: String {
        "\(year)-\(padded(month))-\(padded(day)) \(padded(hour)):\(padded(minute)):\(padded(second)) UTC"
    }

    /// For programs, as RFC 3339 has it: `2026-11-24T08:15:00.042Z`.
    package var timestamp: String {
        let fraction = "00\(millisecond)".suffix(3)
        return
            "\(year)-\(padded(month))-\(padded(day))T\(padded(hour)):\(padded(minute)):\(padded(second)).\(fraction)Z"
    }

    /// For file names: `20261124T081500Z`.
    package var compactText: String {
        "\(year)\(padded(month))\(padded(day))T\(padded(hour))\(padded(minute))\(padded(second))Z"
    }

    private func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : String(number) }
}
