import Glibc
import Testing
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyPlatform

@Suite("The record of an unfinished directory")
struct UnfinishedRecordTests {
    private static let full: UnfinishedRecord = {
        func noted(_ path: String, _ number: UInt64) -> RecordedDirectory {
            RecordedDirectory(path: path, identity: FileIdentity(device: number, inode: .max - number))
        }
        var record = UnfinishedRecord.ofNewRun()
        record.made = [
            noted("/srv/a", 1), noted("/srv/a/with space", 2),
            noted("/srv/a/with space/with\nline end and 100 % ä", 3),
        ]
        record.directory = record.made.last?.identity
        record.before = ModeAndOwner(mode: 0o1755, owner: FileOwner(user: 12, group: 4_294_967_294))
        record.data = noted("/srv/data", 4)
        record.others = ["/srv/other", "/srv/o\u{7F}ther"]
        record.slot = .init(name: "standby_1", systemIdentifier: "7234567890123456789", position: 0x1_0300_0028)
        record.cluster = .init(systemIdentifier: "7234567890123456789", major: "9.6")
        record.held = .tablespace
        record.kept = "2026-11-24 08:15:00 UTC"
        record.stage = .filling
        return record
    }()

    @Test func `is read as it was written`() throws {
        #expect(try UnfinishedRecord(reading: Self.full.text) == Self.full)
        var bare = UnfinishedRecord(run: "1")
        #expect(try UnfinishedRecord(reading: bare.text) == bare)
        bare.slot = .init(name: "s", systemIdentifier: "1")
        #expect(try UnfinishedRecord(reading: bare.text) == bare)
    }

    @Test func `two runs are never taken for one`() {
        #expect(UnfinishedRecord.ofNewRun().run != UnfinishedRecord.ofNewRun().run)
    }

    @Test func `the last stage counts`() throws {
        for stage in UnfinishedRecord.Stage.allCases {
            #expect(try UnfinishedRecord(reading: Self.full.text + "stage \(stage.rawValue)\n").stage == stage)
        }
    }

    @Test func `cut at any byte, holds the facts whose lines are whole, and no others`() throws {
        let record = Self.full, whole = try UnfinishedRecord(reading: record.text)
        let bytes = Array(record.text.utf8)
        for length in bytes.indices {
            let cut = try UnfinishedRecord(reading: String(decoding: bytes[..<length], as: UTF8.self))
            #expect(whole.made.starts(with: cut.made, by: ==))
            #expect(whole.others.starts(with: cut.others))
            #expect(cut.before == nil || cut.before == whole.before)
            #expect(cut.slot == nil || cut.slot == whole.slot)
            #expect(cut.run.isEmpty || cut.run == whole.run)
            #expect(cut.stage == .made, "the stage is the last thing that is written")
        }
    }

    @Test(
        "of another format is refused, and says of which",
        arguments: [
            ("# comment\nrun 1a\nprocess 1\n", "1"), ("format 1\nrun 1\n", "1"), ("format 4\nrun 1\n", "4"),
            ("format 2\u{E4}\n", "2??"), ("made /srv\n", "1"),
        ])
    func format(_ text: String, _ format: String) {
        #expect(throws: UnfinishedRecord.Flaw.format(format)) { _ = try UnfinishedRecord(reading: text) }
    }

    @Test(
        "with a line that no run writes is refused",
        arguments: [
            "made /srv", "made 1 2 srv", "made 1 2 /", "made 1 2 //", "made 1 -2 /srv", "made 1 2 /a\nmade 1 3 /b",
            "made 1 2 /a\nmade 1 3 /a", "made 1 2 /a\nmade 1 3 /ab", "made 1 2 /a%00", "made 1 2 /a%2",
            "made 1 2 /a%zz",
            "other ..", "other relative", "other /", "before 755 0", "before 17777 0 0", "before 755 0 -1",
            "before 755 0 0\nbefore 755 1 1", "data 1 2 data", "directory 1", "directory 1 2 3", "slot 1 - Name",
            "slot 1 - a'b", "slot x - s", "slot 1 s", "slot 1 +1 s", "slot 1 - ", "stage begun", "run ../x",
            "process 0",
            "process 1\nprocess 2", "unknown x", "other", "other /a\tb", "other /\u{FFFD}%ff",
            "slot 1 - \(String(repeating: "a", count: 64))",
            "cluster 1", "cluster x 15", "cluster 1 15/..", "cluster 1 15\ncluster 1 15", "held all",
        ])
    func line(_ lines: String) {
        let head = "format 2\n"
        #expect(throws: UnfinishedRecord.Flaw.self) { _ = try UnfinishedRecord(reading: "\(head)\(lines)\n") }
    }
}
