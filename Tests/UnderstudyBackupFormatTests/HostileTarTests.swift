import Testing
import UnderstudyBackupFormat
import UnderstudyTestSupport

@Suite struct HostileTarTests {
    struct Case: CustomTestStringConvertible {
        var what: String
        var header: [UInt8]
        var code: BackupFormatError.Code

        init(_ what: String, _ header: [UInt8], _ code: BackupFormatError.Code) {
            self.what = what
            self.header = header
            self.code = code
        }

        var testDescription: String { what }
    }

    static let cases: [Case] = [
        Case("parent directory", TarBuilder.header("../../etc/passwd"), .unsafePath),
        Case("parent directory inside", TarBuilder.header("base/../../x"), .unsafePath),
        Case("parent directory in the prefix", TarBuilder.header("x", .prefix("..")), .unsafePath),
        Case("parent directory as directory", TarBuilder.header("../", .type("5")), .unsafePath),
        Case("absolute", TarBuilder.header("/etc/passwd"), .unsafePath),
        Case("absolute by its prefix", TarBuilder.header("passwd", .prefix("/etc")), .unsafePath),
        Case("no name", TarBuilder.header(""), .unsafePath),
        Case("root directory", TarBuilder.header("./", .type("5")), .unsafePath),
        Case("bytes behind the name", TarBuilder.header("", .name([UInt8](ascii: "a\0b"))), .malformedArchive),
        Case("bytes behind the prefix", TarBuilder.header("a", .prefix("b\0c")), .malformedArchive),
        Case("file with a slash", TarBuilder.header("base/"), .malformedArchive),

        Case("hard link", TarBuilder.header("a", .type("1"), .link("b")), .unsupportedMember),
        Case("character device", TarBuilder.header("a", .type("3")), .unsupportedMember),
        Case("block device", TarBuilder.header("a", .type("4")), .unsupportedMember),
        Case("named pipe", TarBuilder.header("a", .type("6")), .unsupportedMember),
        Case("contiguous file", TarBuilder.header("a", .type("7")), .unsupportedMember),
        Case("pax header", TarBuilder.header("a", .type("x")), .unsupportedMember),
        Case("global pax header", TarBuilder.header("a", .type("g")), .unsupportedMember),
        Case("GNU long name", TarBuilder.header("././@LongLink", .type("L")), .unsupportedMember),
        Case("GNU long link", TarBuilder.header("././@LongLink", .type("K")), .unsupportedMember),
        Case("unknown type", TarBuilder.header("a", .type("Z")), .unsupportedMember),

        Case("link without target", TarBuilder.header("a", .type("2")), .malformedArchive),
        Case("bytes behind the target", TarBuilder.header("a", .type("2"), .link("b\0c")), .malformedArchive),
        Case("link with content", TarBuilder.header("a", size: 1, .type("2"), .link("b")), .malformedArchive),
        Case("directory with content", TarBuilder.header("a/", size: 512, .type("5")), .malformedArchive),

        Case("wrong checksum", TarBuilder.header("a", .checksum("0000001\0")), .malformedArchive),
        Case("no checksum", TarBuilder.header("a", .checksum("\0\0\0\0\0\0\0\0")), .malformedArchive),
        Case("no magic", TarBuilder.header("a", .magic("\0\0\0\0\0\0\0\0")), .malformedArchive),
        Case("GNU magic", TarBuilder.header("a", .magic("ustar  \0")), .malformedArchive),

        Case("size negative", TarBuilder.header("a", .size([UInt8](repeating: 0xFF, count: 12))), .malformedArchive),
        Case("size with a sign", TarBuilder.header("a", .size([UInt8](ascii: "-0000000001 "))), .malformedArchive),
        Case(
            "size beyond Int64", TarBuilder.header("a", .size([0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0])),
            .malformedArchive),
        Case(
            "size beyond UInt64", TarBuilder.header("a", .size([0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])),
            .malformedArchive),
        Case(
            "size in base 256 with a high first byte",
            TarBuilder.header("a", .size([0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])), .malformedArchive),
        Case("size not octal", TarBuilder.header("a", .size([UInt8](ascii: "00000000008 "))), .malformedArchive),
        Case("size with garbage", TarBuilder.header("a", .size([UInt8](ascii: "0000000001 7"))), .malformedArchive),
        Case("size empty", TarBuilder.header("a", .size([UInt8](ascii: "            "))), .malformedArchive),
        Case("mode not octal", TarBuilder.header("a", .mode("rw-r--r-")), .malformedArchive),
        Case("time not octal", TarBuilder.header("a", .modified("2026-11-22T1")), .malformedArchive),
        Case("text", [UInt8](repeating: UInt8(ascii: "x"), count: 512), .malformedArchive),
    ]

    @Test(arguments: cases)
    func `what no server sends is refused, and nothing of it told`(hostile: Case) {
        for cut in [Cut.whole, .every(1), .every(200)] {
            var reader = TarReader()
            var recorder = TarRecorder()
            let error = #expect(throws: BackupFormatError.self) {
                for range in cut.ranges(of: hostile.header.count) {
                    try reader.consume(hostile.header.rawSpan.extracting(range), into: &recorder)
                }
            }
            #expect(error?.code == hostile.code)
            #expect(recorder.members.isEmpty)
        }
    }

    @Test func `no changed bit of a header passes unnoticed`() throws {
        let header = TarBuilder.header("base/1", .mode("0000640 "))
        let sound = try TarRecorder.read(header)
        for index in header.indices {
            for bit in 0..<8 {
                var changed = header
                changed[index] ^= 1 << bit
                // The characters around the checksum's digits may be a space or a zero byte.
                if let members = try? TarRecorder.read(changed) {
                    #expect(members == sound && (148..<156).contains(index))
                }
            }
        }
    }

    @Test func `random bytes never make the reader stumble`() {
        var generator = SplitMix64(state: 4)
        for _ in 0..<500 {
            var bytes = TarReaderTests.sample + TarReaderTests.trailer
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = try? TarRecorder.read(bytes, .random(seed: generator.next(), limit: 1000))
        }
    }
}
