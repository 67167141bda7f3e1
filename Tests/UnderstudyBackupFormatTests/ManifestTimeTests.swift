import Glibc
import Testing
import UnderstudyTestSupport

@testable import UnderstudyBackupFormat

@Suite struct ManifestTimeTests {
    @Test(
        arguments: [
            (0, "1970-01-01 00:00:00 GMT"), (1_795_885_200, "2026-11-28 17:00:00 GMT"), (-1, "1969-12-31 23:59:59 GMT"),
            (951_782_399, "2000-02-28 23:59:59 GMT"), (951_782_400, "2000-02-29 00:00:00 GMT"),
            (951_868_800, "2000-03-01 00:00:00 GMT"), (4_107_542_400, "2100-03-01 00:00:00 GMT"),
            (253_402_300_799, "9999-12-31 23:59:59 GMT"), (-11_644_473_600, "1601-01-01 00:00:00 GMT"),
        ] as [(Int64, String)])
    func `times are written in the calendar`(seconds: Int64, text: String) {
        #expect(ManifestTime.text(seconds) == text)
    }

    @Test func `the C library says the same`() {
        var generator = SplitMix64(state: 1)
        for _ in 0..<2000 {
            let seconds = Int64.random(in: -62_135_596_800...253_402_300_799, using: &generator)
            var time = time_t(seconds), fields = unsafe tm()
            // gmtime_r fills the struct.
            unsafe gmtime_r(&time, &fields)
            let text = ManifestTime.text(seconds)
            let numbers = text.dropLast(4).split { !$0.isNumber }.compactMap { Int32($0) }
            let expected = unsafe [
                fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday, fields.tm_hour, fields.tm_min, fields.tm_sec,
            ]
            #expect(numbers == expected, "\(seconds): \(text)")
        }
    }
}
