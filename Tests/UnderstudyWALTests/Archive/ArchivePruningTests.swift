import Testing
import UnderstudyTestSupport

@testable import UnderstudyWAL

/// Of segments 1 to 6, of which the last is partial, one is written each day.
@Suite struct ArchivePruningTests {
    private var files = ArchiveFiles()
    private static let day: Int64 = 86_400
    private let names = (1...5).map { file($0) } + [file(6, ".partial")]

    private mutating func pruning(
        _ rules: ArchivePruning.Rules, _ names: [String]? = nil, _ histories: [TimelineHistory] = [],
        noted: [String: WALGap] = [:], now: Int64 = 6
    ) throws -> ArchivePruning {
        files.held[file(6, ".partial")] = 0x80
        var found = ArchiveFiles.findings(names ?? self.names, histories)
        for index in found.files.indices {
            let number = ArchivedSegment(fileName: found.files[index].name, size: ArchiveFiles.size)?.segment.number
            found.files[index].modified = Int64(number ?? 0) * Self.day
        }
        found.noted = noted
        let inventory = try ArchiveInventory(found, backups: rules.backups, reading: &files)
        return try ArchivePruning(inventory, rules, now: now * Self.day)
    }

    private func keeping(_ starts: UInt64...) -> ArchivePruning.Rules {
        .init(keeping: starts.map { ArchiveFiles.backup(1, $0, end: $0 + 0x100) })
    }

    @Test(
        arguments: [
            ([0x300028], [1, 2]), ([0x300028, 0x200028], [1]), ([0x500028, 0x300028], [1, 2]), ([0x100028], []),
        ] as [([UInt64], [UInt64])])
    mutating func `what is older than the oldest backup goes, oldest first`(
        starts: [UInt64], removed: [UInt64]
    ) throws {
        let rules = ArchivePruning.Rules(keeping: starts.map { ArchiveFiles.backup(1, $0, end: $0 + 0x100) })
        let plan = try pruning(rules)
        #expect(plan.removed.map(\.name) == removed.map { file($0) })
        #expect(plan.decidedBy?.start.lsn.rawValue == starts.min())
        #expect(plan.kept == 6 - removed.count && plan.spared == [] && plan.gaps == [] && plan.notRestorable == [])
        #expect(plan.bytes == UInt64(removed.count) << 20)
    }

    @Test mutating func `a segment is a limit by its number, on all timelines and however it is written`() throws {
        let names = names + [file(1, timeline: 2), file(2, ".zst", timeline: 2), file(3, ".gz", timeline: 2)]
        for limit in [
            file(3), file(3, timeline: 7), file(3, ".zst"), file(3, ".partial"), "\(file(3)).00000028.backup",
        ] {
            let plan = try pruning(.init(first: limit), names)
            let removed = [file(1), file(1, timeline: 2), file(2), file(2, ".zst", timeline: 2)]
            #expect(plan.removed.map(\.name) == removed && plan.limit.rawValue == 0x300000 && plan.decidedBy == nil)
        }
    }

    @Test mutating func `histories and partial segments stay, and so does the newest complete one`() throws {
        let names = [
            "00000002.history", file(1), file(2, ".partial"), file(2), file(3, ".gz"), file(6, ".partial"),
        ]
        let plan = try pruning(.init(first: file(6)), names)
        #expect(plan.removed.map(\.name) == [file(1), file(2)])
        #expect(plan.spared.map { $0.file.name } == [file(2, ".partial"), file(3, ".gz")])
        #expect(plan.spared.map(\.reason) == [.partial, .newest])
        #expect(plan.kept == 1)
    }

    @Test(
        arguments: [
            (3, [1, 2, 3], []), (4, [1, 2], [3]), (5, [1], [2, 3]), (6, [], [1, 2, 3]), (9, [], [1, 2, 3]),
        ] as [(Int, [UInt64], [UInt64])])
    mutating func `a time leaves what is not as old, and all that follows`(
        days: Int, removed: [UInt64], young: [UInt64]
    ) throws {
        var rules = keeping(0x400028)
        // Segment 3 was written three days ago.
        rules.newerThan = .seconds(Self.day * Int64(days) - 1)
        let plan = try pruning(rules)
        #expect(plan.removed.map(\.name) == removed.map { file($0) })
        #expect(plan.spared.map { $0.file.name } == young.map { file($0) })
        #expect(plan.spared.allSatisfy { $0.reason == .young })
    }

    @Test mutating func `what was touched lately keeps what follows, so that there is no hole`() throws {
        var found = ArchiveFiles.findings(names)
        for index in found.files.indices { found.files[index].modified = index == 1 ? 100 : 0 }
        var rules = keeping(0x400028)
        rules.newerThan = .seconds(10)
        let inventory = try ArchiveInventory(found, backups: rules.backups, reading: &files)
        let plan = try ArchivePruning(inventory, rules, now: 100)
        #expect(plan.removed.map(\.name) == [file(1)])
    }

    @Test mutating func `notes and backup histories go with the WAL that they speak of`() throws {
        let before = WALGap(start: position(1, 0x200000), end: position(1, 0x300000))
        let behind = WALGap(start: position(1, 0x400000), end: position(1, 0x500000))
        let names = [
            file(1), file(3), file(5), file(6, ".partial"), "\(file(1)).00000028.backup",
            "\(file(3)).00000028.backup.gz",
            "\(file(5)).00000028.backup", "note 1", "note 2",
        ]
        let plan = try pruning(.init(first: file(5)), names, noted: ["note 1": before, "note 2": behind])
        #expect(
            plan.removed.map(\.name) == [
                file(1), file(3), "\(file(1)).00000028.backup", "\(file(3)).00000028.backup.gz", "note 1", "note 2",
            ])
        #expect(plan.gaps == [before, behind])
        #expect(try pruning(.init(first: file(3)), names, noted: ["note 1": before]).gaps == [before])
        #expect(try pruning(.init(first: file(1)), names, noted: ["note 1": before]).gaps == [])
    }

    // MARK: - What is refused

    @Test(
        arguments: [
            (.init(), "nothing says from where on WAL is kept"),
            (.init(newerThan: .seconds(1)), "nothing says from where on WAL is kept"),
            (.init(first: "3"), "\"3\" is no name of a segment"),
            (.init(first: file(7)), "segment \"\(file(7))\" is newer than all of the archive"),
            (
                .init(keeping: [ArchiveFiles.backup(1, 0x300028)], first: file(4)),
                "segment \"\(file(4))\" is newer than what backup \"b3145768\" needs"
            ),
            (
                .init(keeping: [ArchiveFiles.backup(1, 0x700028)]),
                "archive lacks the WAL with which a restore of backup \"b7340072\" begins"
            ),
        ] as [(ArchivePruning.Rules, String)])
    mutating func `rules by which too much would go are refused`(rules: ArchivePruning.Rules, message: String) throws {
        let error = #expect(throws: ArchivePruningError.self) { try pruning(rules) }
        #expect(error?.message == message)
    }

    @Test
    mutating func `a backup that begins in a gap keeps everything, and one from before the archive removes nothing`()
        throws
    {
        let names = self.names.filter { $0 != file(3) }
        let error = #expect(throws: ArchivePruningError.self) { try pruning(keeping(0x300028), names) }
        #expect(error?.message.contains("lacks the WAL") == true)
        let plan = try pruning(keeping(0x000028), names)
        #expect(plan.removed == [] && plan.notRestorable.count == 1)
        // Up to its end there is a gap: that is said, and what is older goes.
        let rules = ArchivePruning.Rules(keeping: [ArchiveFiles.backup(1, 0x200028, end: 0x380000)])
        let other = try pruning(rules, names)
        #expect(other.removed.map(\.name) == [file(1)] && other.notRestorable.count == 1)
    }

    @Test mutating func `what a plan has does not go when it is the newest by now`() throws {
        let plan = try pruning(keeping(0x400028))
        #expect(plan.stillRemovable(beside: names).map(\.name) == [file(1), file(2), file(3)])
        #expect(
            plan.stillRemovable(beside: [file(1), file(2), file(3), file(9, ".partial")]).map(\.name) == [
                file(1), file(2),
            ])
        #expect(plan.stillRemovable(beside: [file(9, ".partial")]) == [])
    }
}
