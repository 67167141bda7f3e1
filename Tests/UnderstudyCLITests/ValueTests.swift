import Testing
import Understudy

@testable import UnderstudyCLI

@Suite("Values of options")
struct ValueTests {
    @Test(
        "rates are kB per second with the suffixes k and M",
        arguments: [
            ("32", 32), ("1048576", 1_048_576), ("32k", 32), (" 64 k ", 64), ("1 M", 1024), ("1.5M", 1536),
            ("1024M", 1_048_576), ("1e3", 1000), ("0.5M", 512), ("32.9", 32), ("+40", 40),
        ])
    func rate(text: String, expected: Int) throws {
        #expect(try RateArgument.parse(text) == .kilobytesPerSecond(expected))
    }

    @Test(
        "other rates are refused in the stock tool's words",
        arguments: [
            ("", "transfer rate \"\" is not a valid value"),
            ("abc", "transfer rate \"abc\" is not a valid value"),
            (".", "transfer rate \".\" is not a valid value"),
            ("0", "transfer rate must be greater than zero"),
            ("-5", "transfer rate must be greater than zero"),
            ("5", "transfer rate \"5\" is out of range"),
            ("31.9", "transfer rate \"31.9\" is out of range"),
            ("1025M", "transfer rate \"1025M\" is out of range"),
            ("1e300", "transfer rate \"1e300\" is out of range"),
            ("1e400", "invalid transfer rate \"1e400\": Numerical result out of range"),
            ("4000000000", "transfer rate \"4000000000\" is out of range"),
            ("5000000000", "transfer rate \"5000000000\" exceeds integer range"),
            ("5x", "invalid --max-rate unit: \"x\""),
            ("32kB", "invalid --max-rate unit: \"kB\""),
            ("2G", "invalid --max-rate unit: \"G\""),
            ("1e", "invalid --max-rate unit: \"e\""),
        ])
    func badRate(text: String, message: String) {
        let error = #expect(throws: UsageError.self) { try RateArgument.parse(text) }
        #expect(error?.message == message)
    }

    @Test(
        "a tablespace mapping has one equals sign that is not escaped",
        arguments: [
            ("/a=/b", "/a", "/b"),
            (#"/a\=b=/c"#, "/a=b", "/c"),
            (#"/a=/b\=c"#, "/a", "/b=c"),
            (#"/a\b=/c\d"#, #"/a\b"#, #"/c\d"#),
            ("/a/=/b//c/./", "/a", "/b/c"),
            ("/=/b", "/", "/b"),
            ("/a\u{301}/./b=/\u{301}c/", "/a\u{301}/b", "/\u{301}c"),
            ("/a\u{338}=/b", "/a\u{338}", "/b"),
        ])
    func mapping(text: String, old: String, new: String) throws {
        #expect(try TablespaceArgument.parse(text) == .init(from: old, to: new))
    }

    @Test(
        "other mappings are refused in the stock tool's words",
        arguments: [
            ("foo", "invalid tablespace mapping format \"foo\", must be \"OLDDIR=NEWDIR\""),
            ("", "invalid tablespace mapping format \"\", must be \"OLDDIR=NEWDIR\""),
            ("=/b", "invalid tablespace mapping format \"=/b\", must be \"OLDDIR=NEWDIR\""),
            ("/a=", "invalid tablespace mapping format \"/a=\", must be \"OLDDIR=NEWDIR\""),
            ("/a=/b=/c", "multiple \"=\" signs in tablespace mapping"),
            ("a=/b", "old directory is not an absolute path in tablespace mapping: a"),
            ("/a=b", "new directory is not an absolute path in tablespace mapping: b"),
        ])
    func badMapping(text: String, message: String) {
        #expect(throws: UsageError(message)) { try TablespaceArgument.parse(text) }
    }

    @Test(
        "durations are seconds unless a unit says otherwise",
        arguments: [
            ("60", Duration.seconds(60)), ("60s", .seconds(60)), ("5min", .seconds(300)), ("500ms", .milliseconds(500)),
            ("1h", .seconds(3600)), ("2d", .seconds(172_800)), ("0", .zero),
        ])
    func duration(text: String, expected: Duration) throws {
        #expect(try NumberArgument.duration(text, option: "--wait") == expected)
    }

    @Test(
        "other durations are refused",
        arguments: ["", "s", "-1", "1.5s", "60 s", "5m", "1w", "99999999999999999999", "9999999999d"])
    func badDuration(text: String) {
        let error = #expect(throws: UsageError.self) { try NumberArgument.duration(text, option: "--wait") }
        #expect(error?.message == "invalid value \"\(text)\" for option --wait")
    }

    @Test(
        "sizes are bytes unless a unit says otherwise",
        arguments: [
            ("1", 1), ("10B", 10), ("2kB", 2048), ("3MB", 3 << 20), ("10GB", 10 << 30), ("1TB", 1 << 40), ("0", nil),
            ("0GB", nil), ("18446744073709551615", UInt64.max),
        ] as [(String, UInt64?)])
    func lag(text: String, expected: UInt64?) throws {
        #expect(try LagArgument.parse(text) == expected)
    }

    @Test(
        "other sizes are refused",
        arguments: ["", "GB", "-1", "1.5GB", "1 GB", "1gb", "1K", "1PB", "18446744073709551616", "16777216TB"])
    func badLag(text: String) {
        let error = #expect(throws: UsageError.self) { try LagArgument.parse(text) }
        #expect(error?.message == "invalid value \"\(text)\" for option --max-lag")
        #expect(error?.hint != nil)
    }

    @Test("whole numbers keep to their range")
    func integers() throws {
        #expect(try NumberArgument.integer(" 7 ", option: "-s", in: 0...9) == 7)
        #expect(throws: UsageError("invalid value \"foo\" for option -s")) {
            try NumberArgument.integer("foo", option: "-s", in: 0...9)
        }
        for text in ["-1", "10", "99999999999999999999"] {
            #expect(throws: UsageError("-s must be in range 0..9")) {
                try NumberArgument.integer(text, option: "-s", in: 0...9)
            }
        }
    }
}
