import Testing
import UnderstudyBackupFormat
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyBackup
@testable import UnderstudyCore

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
        ledger.record(try MemberPath(name), size: UInt64(content.count), modified: 0, checksum: try checksum(content))
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

    private static let wholeWAL = #"{ "Timeline": 1, "Start-LSN": "0/3000028", "End-LSN": "0/3000100" }"#

    /// - Parameters:
    ///   - identity: What follows the version.
    ///   - algorithm: Nil for files without checksums.
    private func text(
        _ entries: [Entry], version: Int = 1, identity: String = "", algorithm: String? = "CRC32C",
        wal: String = wholeWAL
    ) throws -> [UInt8] {
        let files = entries.map { entry in
            let checksum = algorithm.map { #", "Checksum-Algorithm": "\#($0)", "Checksum": "\#(entry.checksum)""# }
            return
                #"{ "Path": "\#(entry.name)", "Size": \#(entry.size), "Last-Modified": "2024-01-01 00:00:00 GMT"\#(checksum ?? "") }"#
        }
        let head = """
            { "PostgreSQL-Backup-Manifest-Version": \(version),
            \(identity)"Files": [
            \(files.joined(separator: ",\n"))
            ],
            "WAL-Ranges": [
            \(wal)
            ],

            """
        var digest = try FileDigest(.sha256)
        digest.update(Array(head.utf8).rawSpan)
        let seal = try #require(try digest.finish())
        return Array("\(head)\"Manifest-Checksum\": \"\(seal)\"}\n".utf8)
    }

    private func position(_ lsn: String, _ timeline: UInt32) throws -> BackupPosition {
        try BackupPosition(
            ResultSet(columns: ["recptr", "tli"], rows: [[lsn, "\(timeline)"]]))
    }

    private func verify(
        _ bytes: [UInt8], piece: Int = 1000, version: Int = 150_000, algorithm: ChecksumAlgorithm? = .crc32c,
        end: (String, UInt32) = ("0/3000100", 1)
    ) throws -> Int {
        var verifier = try ManifestVerifier(
            output: ManifestFileOutput(in: directory, mode: 0o640, syncs: true), ledger: ledger,
            expected: .init(
                version: ServerVersion(number: version), systemIdentifier: "7711123260964962612", algorithm: algorithm))
        for start in stride(from: 0, to: bytes.count, by: piece) {
            let end = min(bytes.count, start + piece)
            try verifier.take(bytes.rawSpan.extracting(start..<end))
        }
        return try verifier.finish(
            from: position("0/3000028", 1), to: position(end.0, end.1))
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

    // MARK: What was asked for, and of whom

    private func refusal(_ verify: () throws -> Int) -> UnderstudyError? {
        let error = #expect(throws: UnderstudyError.self) { _ = try verify() }
        #expect(error?.code == .verification)
        return error
    }

    @Test(
        "files without the checksums that were asked for do not count as verified",
        arguments: [
            (nil, .crc32c, "no checksum, and CRC32C was asked for."),
            ("CRC32C", .sha256, "a CRC32C checksum, and SHA256 was asked for."),
            ("CRC32C", nil, "a CRC32C checksum, and none was asked for."),
        ] as [(String?, ChecksumAlgorithm?, String)])
    func otherChecksums(_ algorithm: String?, _ asked: ChecksumAlgorithm?, _ flaw: String) throws {
        let bytes = try text(sound(), algorithm: algorithm)
        let error = refusal { try verify(bytes, algorithm: asked) }
        #expect(error?.detail?.hasPrefix("\"PG_VERSION\" has \(flaw)") == true, "\(error?.detail ?? "")")
    }

    @Test("without checksums there are none if none were asked for")
    func checksumsNotWanted() throws {
        #expect(try verify(text(sound(), algorithm: nil), algorithm: nil) == 3)
    }

    @Test(
        "a manifest is of the server's own system and version",
        arguments: [
            (2, 170_000, "7711123260964962612", nil),
            (
                2, 170_000, "7711123260964962613",
                "Its system identifier is 7711123260964962613, and the server's is 7711123260964962612."
            ),
            (1, 170_000, nil, "Its version is 1, and a server of version 17 writes version 2."),
            (2, 160_000, "7711123260964962612", "Its version is 2, and a server of version 16 writes version 1."),
        ] as [(Int, Int, String?, String?)])
    func system(_ version: Int, _ server: Int, _ identifier: String?, _ flaw: String?) throws {
        let identity = identifier.map { "\"System-Identifier\": \($0),\n" } ?? ""
        let bytes = try text(sound(), version: version, identity: identity)
        if let flaw {
            #expect(refusal { try verify(bytes, version: server) }?.detail == flaw)
        } else {
            #expect(try verify(bytes, version: server) == 3)
        }
    }

    @Test(
        "the WAL that it names is that of the backup",
        arguments: [
            (wholeWAL, "0/3000100", 1, true),
            (#"{ "Timeline": 1, "Start-LSN": "0/03000028", "End-LSN": "0/03000100" }"#, "0/3000100", 1, true),
            (wholeWAL, "0/3000101", 1, false), (wholeWAL, "0/3000100", 2, false), ("", "0/3000100", 1, false),
            (#"{ "Timeline": 1, "Start-LSN": "0/3000029", "End-LSN": "0/3000100" }"#, "0/3000100", 1, false),
            (#"{ "Timeline": 1, "Start-LSN": "x", "End-LSN": "0/3000100" }"#, "0/3000100", 1, false),
            (
                #"{ "Timeline": 3, "Start-LSN": "0/3000080", "End-LSN": "0/3000100" }, "#
                    + #"{ "Timeline": 1, "Start-LSN": "0/3000028", "End-LSN": "0/3000080" }"#, "0/3000100", 3, true
            ),
            (
                #"{ "Timeline": 3, "Start-LSN": "0/3000090", "End-LSN": "0/3000100" }, "#
                    + #"{ "Timeline": 1, "Start-LSN": "0/3000028", "End-LSN": "0/3000080" }"#, "0/3000100", 3, false
            ),
            (
                #"{ "Timeline": 1, "Start-LSN": "0/3000080", "End-LSN": "0/3000100" }, "#
                    + #"{ "Timeline": 1, "Start-LSN": "0/3000028", "End-LSN": "0/3000080" }"#, "0/3000100", 1, false
            ),
        ] as [(String, String, UInt32, Bool)])
    func walRanges(_ ranges: String, _ end: String, _ timeline: UInt32, _ passes: Bool) throws {
        let bytes = try text(sound(), wal: ranges)
        if passes {
            #expect(try verify(bytes, end: (end, timeline)) == 3)
        } else {
            #expect(refusal { try verify(bytes, end: (end, timeline)) }?.detail?.contains("WAL range") == true)
        }
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
