import Testing

@testable import UnderstudyPlatform

@Suite struct UTCTimeTests {
    @Test(
        arguments: [
            (0, 0, "1970-01-01T00:00:00.000Z"), (1_795_508_100, 42_999_999, "2026-11-24T08:15:00.042Z"),
            (951_827_696, 999_999_999, "2000-02-29T12:34:56.999Z"),
        ])
    func `a timestamp is that of RFC 3339, in milliseconds`(seconds: Int, nanoseconds: Int, text: String) {
        #expect(UTCTime(seconds, nanoseconds: nanoseconds).timestamp == text)
    }
}
