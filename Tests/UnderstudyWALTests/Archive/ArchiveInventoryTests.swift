import Testing
import UnderstudyCompression
import UnderstudyTestSupport

@testable import UnderstudyWAL

private func two(_ number: UInt64, _ suffix: String = "") -> String { file(number, suffix, timeline: 2) }

private func gap(_ timeline: UInt32, _ start: UInt64, _ end: UInt64) -> WALGap {
    WALGap(start: position(timeline, start), end: position(timeline, end))
}

extension ArchiveFiles {
    /// Each file has 100 bytes if compressed, else those of a segment.
    static func findings(_ names: [String], _ histories: [TimelineHistory] = []) -> ArchiveInventory.Findings {
        let files = names.map { name in
            ArchivedFile(
                name: name, bytes: ArchivedSegment.isFileName(name) && !name.contains(".z") ? size.bytes : 100,
                modified: 0)
        }
        var found = ArchiveInventory.Findings(files: files, segmentSize: size, systemIdentifier: "7")
        found.histories = histories
        return found
    }

    mutating func inventory(
        _ names: [String], _ histories: [TimelineHistory] = [], backups: [BackupWALRange] = [],
        noted: [String: WALGap] = [:]
    ) throws -> ArchiveInventory {
        var found = Self.findings(names, histories)
        found.noted = noted
        return try ArchiveInventory(found, backups: backups, reading: &self)
    }

    static func backup(_ timeline: UInt32, _ start: UInt64, end: UInt64? = nil) -> BackupWALRange {
        BackupWALRange(
            name: "b\(start)", start: position(timeline, start), end: end.map { position(timeline, $0) })
    }
}

@Suite struct ArchiveInventoryTests {
    private var files = ArchiveFiles()

    @Test mutating func `ranges are runs of segments of one timeline, with their sizes and compression`() throws {
        let names = [file(1), file(2, ".zst"), file(3), file(3, ".zst"), file(7), file(8, ".partial")]
        files.held[file(8, ".partial")] = 0x100
        let inventory = try files.inventory(names + ["notes.txt", "\(file(3)).00000028.backup"])
        let timeline = try #require(inventory.timelines.first)
        #expect(inventory.timelines.count == 1 && timeline.id == 1 && timeline.beginning == nil)
        #expect(timeline.ranges.map { "\($0.first)" } == [file(1), file(7)])
        #expect(timeline.ranges.map { "\($0.last)" } == [file(3), file(7)])
        #expect(timeline.ranges.map(\.files) == [4, 1] && timeline.ranges.map(\.segments) == [3, 1])
        #expect(timeline.ranges[0].bytes == 2 << 20 | 200)
        #expect(timeline.ranges[0].compressions == [nil: 2, .zstd: 2])
        #expect(timeline.partials.map(\.end) == [LSN(rawValue: 0x800100)])
        #expect(inventory.gaps == [.init(range: gap(1, 0x400000, 0x700000), isNoted: false)])
        #expect(
            inventory.stretches == [
                .init(start: position(1, 0x100000), end: position(1, 0x400000)),
                .init(start: position(1, 0x700000), end: position(1, 0x800100)),
            ])
        #expect(inventory.others.map(\.name) == ["notes.txt"])
        #expect(inventory.backupHistories.map(\.name) == ["\(file(3)).00000028.backup"])
        #expect(inventory.unusable == [] && inventory.divergedFiles == 0)
    }

    @Test mutating func `a segment of a wrong size counts as missing`() throws {
        var found = ArchiveFiles.findings([file(1), file(2), file(3)])
        found.files[1].bytes = 5
        let inventory = try ArchiveInventory(found, backups: [], reading: &files)
        #expect(inventory.unusable.map(\.name) == [file(2)])
        #expect(inventory.gaps.map(\.range) == [gap(1, 0x200000, 0x300000)])
    }

    @Test mutating func `a noted gap is one, also at the end, until it is filled`() throws {
        let noted = ["a": gap(1, 0x200000, 0x300000), "b": gap(1, 0x500000, 0x900000)]
        let names = ["a", "b", file(1), file(3), file(4)]
        let inventory = try files.inventory(names, noted: noted)
        #expect(
            inventory.gaps == [.init(range: noted["a"]!, isNoted: true), .init(range: noted["b"]!, isNoted: true)])
        #expect(Set(inventory.noteFiles.keys.map(\.name)) == ["a", "b"] && inventory.others == [])
        #expect(try files.inventory(names + [file(2)], noted: noted).gaps.map(\.range) == [noted["b"]!])
    }

    // Timeline 2 leaves timeline 1 within segment 3.

    private let forked = [file(1), file(2), file(3, ".partial"), "00000002.history", two(3), two(4)]

    @Test mutating func `a younger timeline goes on where its history says`() throws {
        let history = try ArchiveFiles.history(2, [1: 0x350000])
        files.held[file(3, ".partial")] = 0x50000
        let inventory = try files.inventory(forked + [file(4), file(5, ".partial")], [history])
        #expect(inventory.timelines.map(\.id) == [1, 2] && inventory.newestTimeline == 2)
        #expect(inventory.timelines[1].beginning == position(1, 0x350000) && inventory.timelines[1].hasHistory)
        #expect(inventory.gaps == [])
        #expect(inventory.stretches == [.init(start: position(1, 0x100000), end: position(2, 0x500000))])
        // What the old primary has written beyond the fork is on no way to the new timeline.
        #expect(inventory.timelines[0].ranges.map(\.isDiverged) == [false, true])
        #expect(inventory.timelines[0].partials.map(\.isDiverged) == [false, true])
        #expect(inventory.divergedFiles == 2)
    }

    @Test mutating func `without a history nothing joins the timelines`() throws {
        let inventory = try files.inventory(forked.filter { !$0.hasSuffix("history") })
        #expect(!inventory.timelines[1].hasHistory && inventory.timelines[1].beginning == nil)
        #expect(inventory.timelines[0].ranges.map(\.isDiverged) == [true])
        #expect(inventory.stretches == [.init(start: position(2, 0x300000), end: position(2, 0x500000))])
    }

    @Test mutating func `the first segment of a timeline that is missing is a gap`() throws {
        let history = try ArchiveFiles.history(2, [1: 0x350000])
        files.held[file(3, ".partial")] = 0x50000
        let inventory = try files.inventory(forked.filter { $0 != two(3) }, [history])
        #expect(inventory.gaps.map(\.range) == [gap(2, 0x350000, 0x400000)])
        #expect(inventory.stretches.map(\.end) == [position(2, 0x350000), position(2, 0x500000)])
    }

    // MARK: - Backups

    @Test(
        arguments: [
            // Begin, end; whether it can be restored, and up to where, or what is missing.
            (0x100028, 0x100100, position(1, 0x400000), nil),
            (0x280000, 0x3FFFFF, position(1, 0x400000), nil),
            // Before the archive; into the gap; in the gap; behind it; and beyond the archive.
            (0x000028, 0x100100, nil, gap(1, 0x000028, 0x100000)),
            (0x380000, 0x480000, nil, gap(1, 0x400000, 0x500000)),
            (0x400028, 0x480000, nil, gap(1, 0x400028, 0x500000)),
            (0x500028, 0x500100, position(1, 0x600080), nil),
            (0x500028, 0x600100, nil, gap(1, 0x600080, 0x600100)),
            (0x600100, 0x600200, nil, gap(1, 0x600100, 0x600200)),
        ] as [(UInt64, UInt64, WALPosition?, WALGap?)])
    mutating func `a backup is restored from its end to the next gap`(
        start: UInt64, end: UInt64, to: WALPosition?, missing: WALGap?
    ) throws {
        files.held[file(6, ".partial")] = 0x80
        let names = [file(1), file(2), file(3), file(5), file(6, ".partial")]
        let inventory = try files.inventory(names, backups: [ArchiveFiles.backup(1, start, end: end)])
        let found = try #require(inventory.restorable.first)
        #expect(found.to == to && found.missing == missing && found.timeline == 1)
        #expect(found.from == position(1, end))
    }

    @Test mutating func `a restore goes to the newest timeline that comes from the backup's`() throws {
        let histories = [try ArchiveFiles.history(2, [1: 0x350000]), try ArchiveFiles.history(3, [1: 0x250000])]
        let names = [
            file(1), file(2), file(3), two(3), two(4), file(2, timeline: 3), "00000002.history", "00000003.history",
        ]
        let backups = [
            ArchiveFiles.backup(1, 0x100028), ArchiveFiles.backup(1, 0x300028), ArchiveFiles.backup(2, 0x380028),
            ArchiveFiles.backup(4, 0x100028),
        ]
        let restorable = try files.inventory(names, histories, backups: backups).restorable
        #expect(restorable.map(\.timeline) == [3, 2, 2, 4])
        #expect(restorable.map(\.to) == [position(3, 0x300000), position(2, 0x500000), position(2, 0x500000), nil])
        // Where nothing tells the backup's end.
        #expect(restorable.allSatisfy { $0.from == nil })
    }
}
