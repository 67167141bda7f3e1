import Testing
import UnderstudyBackupFormat
import UnderstudyTestSupport

@Suite struct TarReaderTests {
    /// A directory, files of zero, few, one block's and more bytes, and a link.
    static let sample: [UInt8] =
        TarBuilder.header("./base/", .type("5"), .mode("0000700 "))
        + TarBuilder.file("base/empty", [])
        + TarBuilder.file("base/few", [1, 2, 3])
        + TarBuilder.file("base/block", [UInt8](repeating: 7, count: 512))
        + TarBuilder.header("pg_tblspc/1/", .type("2"), .link("/srv/ts"), .mode("0120777 "))
        + TarBuilder.file("base/more", (0..<1300).map { UInt8(truncatingIfNeeded: $0) })
    static let trailer = TarBuilder.zeros(1024)

    @Test func `members are told as their headers have them`() throws {
        let members = try TarRecorder.read(Self.sample)
        func entry(_ name: String, _ kind: TarEntry.Kind, _ mode: UInt16, size: UInt64 = 0) throws -> TarEntry {
            TarEntry(
                path: try MemberPath(name), kind: kind, mode: mode, size: size, modificationTime: 0o15_300_664_701,
                user: 0o1750, group: 0o1750)
        }
        #expect(
            try members.map(\.entry) == [
                entry("base", .directory, 0o700), entry("base/empty", .file, 0o600),
                entry("base/few", .file, 0o600, size: 3), entry("base/block", .file, 0o600, size: 512),
                entry("pg_tblspc/1", .symbolicLink(target: [UInt8](ascii: "/srv/ts")), 0o777),
                entry("base/more", .file, 0o600, size: 1300),
            ])
        #expect(members.map(\.content.count) == [0, 0, 3, 512, 0, 1300])
        #expect(members[5].content == (0..<1300).map { UInt8(truncatingIfNeeded: $0) })
        #expect(!members.contains { !$0.isEnded })
    }

    @Test func `how the bytes are cut makes no difference`() throws {
        let archive = Self.sample + Self.trailer
        let whole = try TarRecorder.read(archive, expectsTrailer: true)
        #expect(whole.count == 6)
        for place in 1..<archive.count {
            let members = try TarRecorder.read(archive, .at(place), expectsTrailer: true)
            #expect(members == whole, "cut at \(place)")
        }
        for length in [1, 2, 3, 511, 512, 513] {
            #expect(try TarRecorder.read(archive, .every(length), expectsTrailer: true) == whole)
        }
    }

    @Test func `content that is skipped leaves the members as they are`() throws {
        let archive = Self.sample + Self.trailer
        let whole = try TarRecorder.read(archive)
        // As much as can be skipped behind each piece, but for so many bytes.
        for (piece, kept) in [(512, 0), (513, 0), (700, 0), (512, 1), (520, 600)] {
            var reader = TarReader(), recorder = TarRecorder(), offset = 0, skipped = 0
            while offset < archive.count {
                let end = min(offset + piece, archive.count)
                try reader.consume(archive.rawSpan.extracting(offset..<end), into: &recorder)
                let count = max(0, Int(reader.contentLeft) - kept)
                try reader.skipContent(UInt64(count), into: &recorder)
                skipped += count
                offset = end + count
            }
            try reader.finish()
            #expect(recorder.members.map(\.entry) == whole.map(\.entry) && skipped > 0)
            #expect(!recorder.members.contains { !$0.isEnded })
            #expect(recorder.members.map(\.content.count).reduce(0, +) == 1815 - skipped)
        }
        // The end of what is skipped is not the end of a member that has more.
        var reader = TarReader(), recorder = TarRecorder()
        try reader.consume(TarBuilder.header("big", .size([UInt8](ascii: "00000001000\0"))).rawSpan, into: &recorder)
        try reader.skipContent(511, into: &recorder)
        #expect(reader.contentLeft == 1 && !canEnd(reader))
    }

    private func canEnd(_ reader: TarReader) -> Bool { (try? reader.finish()) != nil }

    @Test func `an archive that is cut off is noticed at every byte`() throws {
        let archive = Self.sample + Self.trailer
        for count in 0..<archive.count {
            #expect(throws: BackupFormatError.self, "cut off at \(count)") {
                try TarRecorder.read(Array(archive[..<count]), expectsTrailer: true)
            }
        }
    }

    @Test func `without a trailer only the ends of members are ends`() throws {
        let archive = Self.sample + Self.trailer
        // The length up to each member's end, and what the two zero blocks add.
        let ends = [0, 512, 1024, 2048, 3072, 3584, Self.sample.count, archive.count]
        for count in 0...archive.count {
            let part = Array(archive[..<count])
            if ends.contains(count) {
                #expect(throws: Never.self) { try TarRecorder.read(part) }
            } else {
                #expect(throws: BackupFormatError.self, "cut off at \(count)") { try TarRecorder.read(part) }
            }
        }
    }

    @Test func `any number of zero blocks may follow`() throws {
        let archive = Self.sample + TarBuilder.zeros(10_240)
        #expect(try TarRecorder.read(archive, .every(700), expectsTrailer: true).count == 6)
    }

    @Test(arguments: [1, 512, 1023])
    func `nothing but zero bytes may follow a zero block`(distance: Int) {
        let archive = Self.sample + TarBuilder.zeros(512 + distance) + [1] + TarBuilder.zeros(2048)
        #expect(code(of: archive) == .malformedArchive)
        #expect(code(of: archive, .every(1)) == .malformedArchive)
    }

    @Test func `a name may begin in the prefix field`() throws {
        let header = TarBuilder.header("name", .prefix("a/long/directory"))
        #expect(try TarRecorder.read(header)[0].entry.path.string == "a/long/directory/name")
    }

    @Test func `a name may fill its field`() throws {
        let name = String(repeating: "x", count: 100)
        #expect(try TarRecorder.read(TarBuilder.header(name))[0].entry.path.string == name)
    }

    @Test func `names are bytes`() throws {
        let header = TarBuilder.header("", .name([0x62, 0xFF]))
        #expect(try TarRecorder.read(header)[0].entry.path.bytes == [0x62, 0xFF])
    }

    @Test(
        arguments: [
            ([0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0], 0x2_0000_0000),
            ([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], 9),
            ([0x80, 0, 0, 0, 0x7F, 255, 255, 255, 255, 255, 255, 255], UInt64(Int64.max)),
            ([UInt8](ascii: "77777777777 "), 0o77_777_777_777),
            ([UInt8](ascii: "777777777777"), 0o777_777_777_777),
            ([UInt8](ascii: "         17\0"), 15),
            ([UInt8](ascii: "17 \0        "), 15),
        ] as [([UInt8], UInt64)])
    func `sizes are octal, or in base 256`(field: [UInt8], size: UInt64) throws {
        var reader = TarReader()
        var recorder = TarRecorder()
        let header = TarBuilder.header("big", .size(field))
        try reader.consume(header.rawSpan, into: &recorder)
        #expect(recorder.members.map(\.entry.size) == [size])
        #expect(throws: BackupFormatError.self) { try reader.finish() }
    }

    @Test func `an error names the place and says what is wrong`() {
        let archive = Self.sample + TarBuilder.header("x", .checksum("0000001\0"))
        let error = #expect(throws: BackupFormatError.self) { try TarRecorder.read(archive, .every(100)) }
        #expect(error?.message == "archive header at byte \(Self.sample.count) is damaged")
        #expect(error?.detail?.contains("should be 1.") == true)
    }

    @Test func `the sink's error ends the reading`() {
        struct Refusal: Error {}
        struct Refuser: TarSink {
            typealias Failure = any Error

            mutating func begin(_ entry: TarEntry) throws(any Error) { throw Refusal() }
            mutating func content(_ bytes: RawSpan) throws(any Error) {}
            mutating func end() throws(any Error) {}
        }
        var reader = TarReader()
        var sink = Refuser()
        #expect(throws: Refusal.self) { try reader.consume(Self.sample.rawSpan, into: &sink) }
    }

    private func code(of archive: [UInt8], _ cut: Cut = .whole) -> BackupFormatError.Code? {
        do {
            _ = try TarRecorder.read(archive, cut)
            return nil
        } catch {
            return error.code
        }
    }
}
