import Testing
import UnderstudyPlatform
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyBackup

@Suite("The replication slot of a run that was killed")
struct LeftSlotTests {
    private static let slot = LeftoverSlot(noted: LSN("0/3000028"), end: LSN("0/5002000"))

    @Test("is dropped where that run can have left it", arguments: ["0/3000028", "0/4000000", "0/5002000"])
    func asLeft(_ position: String) {
        #expect(Self.slot.reasonToKeep(.init(position: LSN(position))) == nil)
    }

    @Test("is kept anywhere else", arguments: ["0/3000027", "0/5002001", "1/3000028", "0/1"])
    func elsewhere(_ position: String) {
        #expect(
            Self.slot.reasonToKeep(.init(position: LSN(position)))
                == "it holds WAL from \(position) on, and that base backup has left it between 0/3000028 and 0/5002000")
    }

    @Test func `is kept while it is in use, and where something is not known`() {
        let position = LSN("0/3000028")
        #expect(Self.slot.reasonToKeep(.init(isActive: true, position: position)) == "it is in use")
        #expect(Self.slot.reasonToKeep(.init()) == "it holds no WAL, so it cannot be told whose it is")
        #expect(LeftoverSlot(noted: nil, end: LSN("0/5002000")).reasonToKeep(.init(position: position)) != nil)
        // Without any WAL of that run, only where it began.
        #expect(LeftoverSlot(noted: position).reasonToKeep(.init(position: position)) == nil)
        #expect(LeftoverSlot(noted: position).reasonToKeep(.init(position: LSN("0/3000029"))) != nil)
    }

    @Test func `the end of its WAL is that of the last page which was written`() throws {
        let size = try #require(WALSegmentSize(bytes: 1 << 20))
        let directory = try ConfinedDirectory(path: TestDirectory.make("wal"))
        #expect(LeftoverBackup.endOfWAL(in: directory, size) == nil)
        func page(_ address: UInt64) -> [UInt8] {
            [0x10, 0xD1, 0, 0, 1, 0, 0, 0] + (0..<8).map { UInt8(truncatingIfNeeded: address >> (8 * $0)) }
        }
        // Segments 3 and 4 of 1 MiB; the later one has two pages, and behind them one that was written for another place.
        for (name, start, pages) in [
            ("000000010000000000000003", UInt64(0x30_0000), [0, 127]), ("000000010000000000000004", 0x40_0000, [0, 1]),
        ] {
            let file = try directory.createFile(RelativePath(name), mode: 0o600)
            try file.fillWithZeros(0..<Int64(size.bytes), path: name)
            for index in pages {
                let bytes = page(start + UInt64(index) * 8192)
                try unsafe file.write(bytes.span.bytes, at: Int64(index) * 8192, path: name)
            }
            try unsafe file.write(page(0x10_0000).span.bytes, at: 3 * 8192, path: name)
        }
        _ = try directory.createFile("archive_status", mode: 0o600)
        #expect(LeftoverBackup.endOfWAL(in: directory, size) == LSN(rawValue: 0x40_4000))
        // One that was only made.
        let empty = try directory.createFile("000000010000000000000005", mode: 0o600)
        try empty.fillWithZeros(0..<8192, path: "")
        #expect(LeftoverBackup.endOfWAL(in: directory, size) == LSN(rawValue: 0x40_4000))
    }
}
