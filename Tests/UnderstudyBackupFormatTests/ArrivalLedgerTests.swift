import Testing
import UnderstudyBackupFormat
import UnderstudyTestSupport

@Suite struct ArrivalLedgerTests {
    static func file(_ path: String, _ size: UInt64, _ crc: UInt8?) throws -> ManifestFile {
        ManifestFile(
            path: try MemberPath(path), size: size, checksum: crc.flatMap { FileChecksum(.crc32c, [$0, 0, 0, 0]) })
    }

    static func ledger(_ files: [ManifestFile]) -> ArrivalLedger {
        var ledger = ArrivalLedger()
        for file in files { ledger.record(path: file.path, size: file.size, checksum: file.checksum) }
        return ledger
    }

    @Test func `each file of the manifest is judged by what arrived`() throws {
        var ledger = Self.ledger([try Self.file("a", 1, 1), try Self.file("b", 0, 0), try Self.file("c", 5, nil)])
        #expect(ledger.check(try Self.file("a", 1, 1)) == .verified)
        #expect(ledger.check(try Self.file("b", 0, 0)) == .verified)
        #expect(ledger.check(try Self.file("c", 5, nil)) == .verified)
        #expect(ledger.check(try Self.file("d", 5, nil)) == .missing)
        #expect(ledger.unlistedCount == 0)
    }

    @Test func `a wrong size is told, whatever the checksum`() throws {
        var ledger = Self.ledger([try Self.file("a", 7, 1), try Self.file("b", 7, nil)])
        #expect(ledger.check(try Self.file("a", 8, 1)) == .sizeDiffers(arrived: 7))
        #expect(ledger.check(try Self.file("b", 6, nil)) == .sizeDiffers(arrived: 7))
    }

    @Test func `a checksum of the manifest must have been computed, and be equal`() throws {
        var ledger = Self.ledger([try Self.file("a", 1, 1), try Self.file("b", 1, nil), try Self.file("c", 1, 1)])
        #expect(ledger.check(try Self.file("a", 1, 2)) == .checksumDiffers)
        #expect(ledger.check(try Self.file("b", 1, 2)) == .checksumDiffers)
        // Without one in the manifest the size is all that can be compared.
        #expect(ledger.check(try Self.file("c", 1, nil)) == .verified)
    }

    @Test func `a file that is listed twice is told, even if it was wrong at first`() throws {
        var ledger = Self.ledger([try Self.file("a", 1, 1), try Self.file("b", 1, 1)])
        #expect(ledger.check(try Self.file("a", 1, 1)) == .verified)
        #expect(ledger.check(try Self.file("a", 1, 1)) == .listedTwice)
        #expect(ledger.check(try Self.file("b", 2, 1)) == .sizeDiffers(arrived: 1))
        #expect(ledger.check(try Self.file("b", 1, 1)) == .listedTwice)
    }

    @Test func `a file that arrived twice is listed once`() throws {
        var ledger = Self.ledger([try Self.file("a", 1, 1), try Self.file("a", 1, 1)])
        #expect(ledger.check(try Self.file("a", 1, 1)) == .verified)
        #expect(ledger.unlistedCount == 1)
    }

    @Test func `what arrived and is not listed is counted, WAL apart`() throws {
        var ledger = Self.ledger([
            try Self.file("a", 1, 1), try Self.file("stray", 1, 1),
            try Self.file("pg_wal/000000010000000000000008", 16_777_216, 1),
            try Self.file("pg_wal/archive_status/000000010000000000000008.done", 0, 0),
            try Self.file("pg_wallet", 1, 1),
        ])
        #expect(ledger.count == 5)
        #expect(ledger.check(try Self.file("a", 1, 1)) == .verified)
        let status = try Self.file("pg_wal/archive_status/000000010000000000000008.done", 0, 0)
        #expect(ledger.check(status) == .verified)
        #expect(ledger.check(status) == .listedTwice)
        #expect(ledger.unlistedCount == 2)
    }

    @Test func `many files are told apart`() throws {
        let files = try (0..<20_000).map { try Self.file("base/\($0 % 7)/\($0)", UInt64($0), UInt8($0 % 251)) }
        var generator = SplitMix64(state: 6)
        var ledger = Self.ledger(files.shuffled(using: &generator))
        for (index, file) in files.enumerated() where !index.isMultiple(of: 100) {
            #expect(ledger.check(file) == .verified)
        }
        #expect(ledger.unlistedCount == 200)
        // What comes after the first check is found too.
        let late = try Self.file("late", 1, 1)
        ledger.record(path: late.path, size: late.size, checksum: late.checksum)
        #expect(ledger.check(late) == .verified)
        #expect(ledger.check(files[1]) == .listedTwice)
    }
}
