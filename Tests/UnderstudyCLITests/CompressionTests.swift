import Testing
import Understudy

@testable import UnderstudyCLI

@Suite("The compression of WAL files")
struct CompressionTests {
    @Test(
        "a specification is a method with a level, or a level of gzip alone",
        arguments: [
            ("none", Compression.none), ("0", .none), ("", .none), ("none:0", .none), ("none:level=0", .none),
            ("1", .gzip(level: 1)), ("9", .gzip(level: 9)), ("+5", .gzip(level: 5)), (" 5", .gzip(level: 5)),
            ("-1", .gzip(level: nil)), ("gzip", .gzip(level: nil)), ("gzip:3", .gzip(level: 3)),
            ("gzip:level=3", .gzip(level: 3)), ("gzip:level=3,level=4", .gzip(level: 4)),
            ("gzip:-1", .gzip(level: nil)), ("gzip:level= 5", .gzip(level: 5)),
            ("lz4", .lz4(level: nil)), ("lz4:0", .lz4(level: nil)), ("lz4:1", .lz4(level: 1)),
            ("lz4:level=12", .lz4(level: 12)),
            ("zstd", .zstd(level: nil)), ("zstd:1", .zstd(level: 1)), ("zstd:level=22", .zstd(level: 22)),
            ("zstd:3", .zstd(level: nil)),
        ])
    func accepted(text: String, compression: Compression) throws {
        #expect(try CompressionArgument.parse(text) == compression)
    }

    static let gzip = "compression algorithm \"gzip\" expects a compression level between 1 and 9 (default at -1)"
    static let lz4 = "compression algorithm \"lz4\" expects a compression level between 1 and 12 (default at 0)"
    static let zstd = "compression algorithm \"zstd\" expects a compression level between 1 and 22 (default at 3)"
    static let empty = "found empty string where a compression option was expected"

    @Test(
        "what cannot be meant is refused in the stock tool's words",
        arguments: [
            ("10", gzip), ("-2", gzip), ("2147483648", gzip), ("gzip:99999999999999999999", gzip), ("gzip:0", gzip),
            ("gzip:level=10", gzip), ("lz4:13", lz4), ("lz4:-1", lz4), ("zstd:0", zstd), ("zstd:23", zstd),
            ("none:3", "compression algorithm \"none\" does not accept a compression level"),
            ("none:level=1", "compression algorithm \"none\" does not accept a compression level"),
            ("gzip:", empty), ("none:", empty), ("gzip:,", empty), ("gzip:level=3,", empty), ("gzip:=3", empty),
            ("gzip:abc", "unrecognized compression option: \"abc\""),
            ("gzip:foo=1", "unrecognized compression option: \"foo\""),
            ("gzip:3,level=3", "unrecognized compression option: \"3\""),
            ("gzip:level", "compression option \"level\" requires a value"),
            ("gzip:level=", "value for compression option \"level\" must be an integer"),
            ("gzip:level=abc", "value for compression option \"level\" must be an integer"),
            ("gzip:level=1=2", "value for compression option \"level\" must be an integer"),
            ("gzip:workers=2", "compression algorithm \"gzip\" does not accept a worker count"),
            ("lz4:level=3,workers=1", "compression algorithm \"lz4\" does not accept a worker count"),
            ("gzip:long", "compression algorithm \"gzip\" does not support long-distance mode"),
            ("zstd:workers=2", "a worker count is not supported for WAL files"),
            ("zstd:workers", "compression option \"workers\" requires a value"),
            ("zstd:9,long", "unrecognized compression option: \"9\""),
            ("zstd:level=9,long", "long-distance mode is not supported for WAL files"),
        ])
    func refused(text: String, reason: String) {
        #expect(throws: UsageError("invalid compression specification: \(reason)")) {
            try CompressionArgument.parse(text)
        }
    }

    @Test("other methods are not known", arguments: ["foo", "GZIP", "client-gzip", "1x", "5 ", "3:4", ":3"])
    func unknown(text: String) {
        let error = #expect(throws: UsageError.self) { try CompressionArgument.parse(text) }
        let name = text.prefix { $0 != ":" }
        #expect(error?.message == "unrecognized compression algorithm: \"\(name)\"")
        #expect(error?.hint == "Use none, gzip, lz4 or zstd, with a level if you like, such as zstd:9.")
    }
}
