import Testing
import UnderstudyTestSupport

@testable import UnderstudyBackupFormat

@Suite("Writing archives")
struct TarWriterTests {
    /// Keeps the entry of one header.
    private struct EntrySink: TarSink {
        typealias Failure = BackupFormatError
        var entry: TarEntry?

        mutating func begin(_ entry: TarEntry) { self.entry = entry }
        mutating func content(_ bytes: RawSpan) {}
        mutating func end() {}
    }

    private static func entry(of header: [UInt8]) throws -> TarEntry {
        var reader = TarReader(), sink = EntrySink()
        try reader.consume(header.rawSpan, into: &sink)
        return try #require(sink.entry)
    }

    private static func entry(_ path: String, _ kind: TarEntry.Kind = .file, size: UInt64 = 0) throws -> TarEntry {
        TarEntry(path: try MemberPath(path), kind: kind, mode: 0o600, size: size, modificationTime: 1_750_000_000)
    }

    @Test("headers are byte for byte as servers of all versions write them", arguments: Recording.versions)
    func recorded(version: String) throws {
        var count = 0
        for archive in try Recording(version).streams("20-base-backup") {
            var offset = 0
            while offset + 512 <= archive.count {
                let header = Array(archive[offset..<offset + 512])
                guard header[257..<262].elementsEqual("ustar".utf8) else { break }
                let entry = try Self.entry(of: header)
                offset += 512 + Int(entry.size) + TarWriter.padding(after: entry.size)
                // A name such as `./pg_wal/` is written without its beginning, and links without the slash at their end.
                if header.starts(with: "./".utf8) { continue }
                if case .symbolicLink = entry.kind { continue }
                #expect(try TarWriter.header(of: entry) == header, "\(entry.path)")
                count += 1
            }
        }
        #expect(count > 200)
    }

    @Test(
        "what is written is read again", arguments: [0, 1, 511, 512, 8_589_934_591, 8_589_934_592, 1 << 50] as [UInt64])
    func sizes(size: UInt64) throws {
        var entry = try Self.entry("base/1/16384", size: size)
        entry.user = 4_000_000_000
        entry.group = 0o7777777
        #expect(try Self.entry(of: TarWriter.header(of: entry)) == entry)
        #expect((size + UInt64(TarWriter.padding(after: size))).isMultiple(of: 512))
    }

    @Test("of links the target is written, too")
    func links() throws {
        let entry = try Self.entry("pg_tblspc/16385", .symbolicLink(target: Array("/srv/space".utf8)))
        #expect(try Self.entry(of: TarWriter.header(of: entry)) == entry)
        let longest = try Self.entry("x", .symbolicLink(target: [UInt8](repeating: 0x61, count: 99)))
        #expect(try Self.entry(of: TarWriter.header(of: longest)) == longest)
        let tooLong = try Self.entry("x", .symbolicLink(target: [UInt8](repeating: 0x61, count: 100)))
        #expect(throws: BackupFormatError.self) { try TarWriter.header(of: tooLong) }
    }

    @Test("a long name is split at a slash, and refused where it has none")
    func longNames() throws {
        func name(_ count: Int) -> String { String(repeating: "n", count: count) }
        for path in [name(99), "d/\(name(99))", "\(name(154))/\(name(99))", "\(name(60))/\(name(60))/\(name(60))"] {
            let file = try Self.entry(path)
            #expect(try Self.entry(of: TarWriter.header(of: file)) == file)
        }
        let directory = try Self.entry("d/\(name(98))", .directory)
        #expect(try Self.entry(of: TarWriter.header(of: directory)) == directory)
        for path in [name(100), "\(name(155))/\(name(99))", "d/\(name(100))"] {
            let error = #expect(throws: BackupFormatError.self) { try TarWriter.header(of: Self.entry(path)) }
            #expect(error?.code == .memberTooLong)
        }
    }
}
