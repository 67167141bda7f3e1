import Testing
import UnderstudyArchive
import UnderstudyFileIO
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudySource

@Suite("What arrived, compared with the backup manifest")
struct ManifestVerifierTests {
    private let directory: ConfinedDirectory
    private let ledger = Ledger()

    init() throws {
        directory = try ConfinedDirectory(path: TestDirectory.make("manifest"))
        try arrive("PG_VERSION", [1, 2, 3])
        try arrive("base/1/1259", .pattern(8192, seed: 1))
        try arrive("pg_tblspc/16385/PG_15_202209061/5/1", [])
        try arrive("pg_wal/000000010000000000000003", [9])
    }

    private func checksum(_ content: [UInt8]) throws -> FileChecksum {
        var digest = try FileDigest(.crc32c)
        digest.update(content.rawSpan)
        return try #require(try digest.finish())
    }

    private func arrive(_ name: String, _ content: [UInt8]) throws {
        ledger.record(try MemberPath(name), size: UInt64(content.count), checksum: try checksum(content))
    }

    private struct Entry {
        var name: String
        var size: Int
        var checksum: String
    }

    private func entry(_ name: String, _ content: [UInt8]) throws -> Entry {
        Entry(name: name, size: content.count, checksum: try checksum(content).description)
    }

    /// The entries of a manifest that agrees with all that arrived.
    private func sound() throws -> [Entry] {
        [
            try entry("PG_VERSION", [1, 2, 3]), try entry("base/1/1259", .pattern(8192, seed: 1)),
            try entry("pg_tblspc/16385/PG_15_202209061/5/1", []),
        ]
    }

    private func text(_ entries: [Entry]) throws -> [UInt8] {
        let files = entries.map { entry in
            """
            { "Path": "\(entry.name)", "Size": \(entry.size), "Last-Modified": "2024-01-01 00:00:00 GMT", \
            "Checksum-Algorithm": "CRC32C", "Checksum": "\(entry.checksum)" }
            """
        }
        let head = """
            { "PostgreSQL-Backup-Manifest-Version": 1,
            "Files": [
            \(files.joined(separator: ",\n"))
            ],
            "WAL-Ranges": [
            { "Timeline": 1, "Start-LSN": "0/3000028", "End-LSN": "0/3000100" }
            ],

            """
        var digest = try FileDigest(.sha256)
        digest.update(Array(head.utf8).rawSpan)
        let seal = try #require(try digest.finish())
        return Array("\(head)\"Manifest-Checksum\": \"\(seal)\"}\n".utf8)
    }

    private func verify(_ bytes: [UInt8], piece: Int = 1000) throws -> Int {
        var verifier = try ManifestVerifier(directory: directory, mode: 0o640, ledger: ledger)
        for start in stride(from: 0, to: bytes.count, by: piece) {
            let end = min(bytes.count, start + piece)
            try verifier.take(bytes.rawSpan.extracting(start..<end))
        }
        return try verifier.finish(sync: true)
    }

    @Test("agrees, and the manifest is kept byte for byte under its temporary name", arguments: [1, 17, 100_000])
    func agrees(_ piece: Int) throws {
        let bytes = try text(sound())
        #expect(try verify(bytes, piece: piece) == 3)
        #expect(FileTree.names(directory.path) == ["pgsql_tmp.understudy.backup_manifest"])
        #expect(try directory.read("pgsql_tmp.understudy.backup_manifest", atMost: 1 << 20) == bytes)
        #expect(try FileTree.mode("\(directory.path)/pgsql_tmp.understudy.backup_manifest") == 0o640)
    }

    private func flaw(_ change: (inout [Entry]) throws -> Void) throws -> UnderstudyError? {
        var entries = try sound()
        try change(&entries)
        return #expect(throws: UnderstudyError.self) { try verify(text(entries)) }
    }

    @Test("a file that did not arrive is named")
    func missing() throws {
        let error = try flaw { $0.append(try entry("base/1/9999", [1])) }
        #expect(error?.code == .verification)
        #expect(error?.message == "backup does not agree with its manifest")
        #expect(error?.detail == "\"base/1/9999\" did not arrive.")
    }

    @Test("a file that the manifest does not have is counted")
    func extra() throws {
        let error = try flaw { $0.remove(at: 1) }
        #expect(error?.code == .verification)
        #expect(error?.detail == "1 files arrived that the manifest does not list.")
    }

    @Test("a file of another size is named, with both sizes")
    func size() throws {
        let error = try flaw { $0[1].size = 8191 }
        #expect(error?.detail == "\"base/1/1259\" has 8192 bytes, and should have 8191.")
    }

    @Test("a file with another checksum is named")
    func checksum() throws {
        let error = try flaw { $0[0].checksum = "00000000" }
        #expect(error?.detail == "\"PG_VERSION\" does not have the checksum 00000000.")
    }

    @Test("a file that is listed twice is named")
    func twice() throws {
        let error = try flaw { $0.append($0[0]) }
        #expect(error?.detail == "\"PG_VERSION\" is listed twice.")
    }

    @Test("of many flaws the first are named, and the rest counted")
    func many() throws {
        let error = try flaw { entries in
            for index in 0..<20 { entries.append(try entry("missing/\(index)", [])) }
        }
        #expect(error?.detail?.contains("\"missing/4\" did not arrive. There are 15 more.") == true)
        #expect(error?.detail?.contains("missing/5") == false)
    }

    @Test("a manifest that is damaged or cut short is refused, whatever its entries say")
    func damaged() throws {
        let bytes = try text(sound())
        var changed = bytes
        // A digit of a date: no entry is wrong, but the seal is.
        let digit = try #require(bytes.firstRange(of: Array("2024".utf8)))
        changed[digit.lowerBound] = UInt8(ascii: "3")
        for damaged in [changed, Array(bytes.dropLast(10)), Array(bytes.dropLast()), []] {
            try? directory.remove("pgsql_tmp.understudy.backup_manifest")
            let error = #expect(throws: UnderstudyError.self) { try verify(damaged) }
            #expect(error?.code == .protocolViolation)
        }
    }

    @Test("a member that has its temporary name is not written over")
    func taken() throws {
        try TestDirectory.write("in the way", to: "\(directory.path)/pgsql_tmp.understudy.backup_manifest")
        let error = #expect(throws: UnderstudyError.self) { try verify(text(sound())) }
        #expect(error?.code == .fileSystem)
    }
}
