import Testing
import UnderstudyWAL

private func two(_ number: UInt64, _ suffix: String = "") -> String { file(number, suffix, timeline: 2) }

@Suite("What an archive means for a server")
struct ArchivePlanTests {
    private var files = ArchiveFiles()

    @Test(
        "the stream continues after the newest complete segment, or at the newest partial one",
        arguments: [
            ([], nil), ([file(2), file(3)], 0x400000), ([file(3), file(2)], 0x400000),
            ([file(2), file(3, ".partial")], 0x300000), ([file(3), file(3, ".partial")], 0x400000),
            ([file(3, ".gz"), file(4, ".gz.partial")], 0x400000), ([file(3), file(9)], 0xA00000),
            (["00000002.history", "archive_status", "\(file(9)).backup", file(3)], 0x400000),
        ] as [([String], UInt64?)])
    func next(_ names: [String], _ next: UInt64?) throws {
        let plan = ArchiveListing(names: names, segmentSize: ArchiveFiles.size).plan(for: TimelineHistory(root: 1))
        #expect(plan.next == next.map { position(1, $0) })
        #expect(plan.diverged == [] && plan.fork == nil && plan.ahead == nil)
    }

    @Test("files that cannot be used are skipped, and those with a wrong name are set aside")
    mutating func verdicts() throws {
        files.unusable = [file(5)]
        files.misnamed = [file(4), file(6, ".partial")]
        let plan = try files.plan((3...5).map { file($0) } + [file(6, ".partial")])
        #expect(plan.next == position(1, 0x400000))
        #expect(plan.misnamed.map(\.fileName) == [file(6, ".partial"), file(4)])
        #expect(plan.past.map(\.file.fileName) == [file(3)])
        // What precedes a good file is not read.
        #expect(files.questions.last == "whole \(file(3))" && files.questions.count == 5)
    }

    @Test("a complete name is not believed if the segment is not whole")
    mutating func incomplete() throws {
        files.held[file(3)] = 5000
        let plan = try files.plan([file(2), file(3)])
        #expect(plan.next == position(1, 0x300000) && plan.incomplete?.fileName == file(3))
    }

    @Test(
        "WAL after a fork is set aside, and the file with the fork in it is divided",
        arguments: [
            // A byte after the fork; nothing after it; a complete file.
            (file(3, ".partial"), 0x50001, true, nil), (file(3, ".partial"), 0x50000, false, nil),
            (file(3), 0x50001, true, nil), (file(3), 0x50000, false, file(3)),
        ] as [(String, UInt64, Bool, String?)])
    mutating func fork(_ name: String, _ held: UInt64, _ isForked: Bool, _ incomplete: String?) throws {
        files.held[name] = held
        let plan = try files.plan([file(2), name, file(4), file(5, ".partial")], timeline: 2, forks: [1: 0x350000])
        #expect(plan.next == position(1, 0x300000) && plan.fork == position(1, 0x350000))
        #expect(plan.diverged.map(\.fileName) == [file(5, ".partial"), file(4)])
        #expect(plan.forked?.file.fileName == (isForked ? name : nil))
        #expect(plan.incomplete?.fileName == incomplete)
        #expect(plan.past.map(\.file.fileName) == [name, file(2)])
        #expect(plan.past.map(\.limit.rawValue) == [0x350000, 0x300000])
    }

    @Test("a timeline that the server does not know is of another history, but not where it is further back")
    mutating func otherBranch() throws {
        files.held[file(3, ".partial")] = 0x50000
        let names = [file(2), file(3, ".partial"), two(3), two(4, ".partial")]
        var plan = try files.plan(names, timeline: 3, forks: [1: 0x360000])
        #expect(plan.next == position(1, 0x300000) && plan.fork == position(2, 0x300000))
        #expect(plan.diverged.map(\.fileName) == [two(4, ".partial"), two(3)])
        plan = try files.plan(names + [file(5)], timeline: 3, forks: [1: 0x960000])
        #expect(plan.next == position(1, 0x600000) && plan.diverged == [] && plan.fork == nil)
        #expect(plan.past.map(\.file.fileName) == [file(5), file(3, ".partial"), file(2)])
    }

    @Test("a timeline's number that was given twice is told by its history file")
    mutating func givenTwice() throws {
        let names = [file(2), two(3), two(4, ".partial")], forks: [UInt32: UInt64] = [1: 0x380000, 2: 0x980000]
        let same = try ArchiveFiles.history(2, [1: 0x380000]), other = try ArchiveFiles.history(2, [1: 0x350000])
        var plan = try files.plan(names, timeline: 3, forks: forks, kept: [same])
        #expect(plan.next == position(2, 0x400000) && plan.divergedTimelines == [])
        plan = try files.plan(names, timeline: 3, forks: forks, kept: [other])
        #expect(plan.next == position(1, 0x300000) && plan.divergedTimelines == [2])
        #expect(plan.diverged.map(\.fileName) == [two(4, ".partial"), two(3)])
        #expect(plan.fork == position(2, 0x980000))
    }

    @Test("if all is set aside, the stream begins where server and archive have both been")
    mutating func allDiverged() throws {
        var plan = try files.plan([file(4), file(5)], timeline: 2, forks: [1: 0x350000])
        #expect(plan.next == position(1, 0x300000) && plan.past == [])
        plan = try files.plan([two(4), two(5)], timeline: 4, forks: [1: 0x350000, 3: 0x760000])
        #expect(plan.next == position(3, 0x400000))
    }

    @Test(
        "an older server is not followed",
        arguments: [(1, nil), (2, [1: 0x350000]), (2, nil)] as [(UInt32, [UInt32: UInt64]?)])
    mutating func ahead(_ timeline: UInt32, _ forks: [UInt32: UInt64]?) throws {
        let plan = try files.plan([file(3), file(3, ".partial", timeline: 3)], timeline: timeline, forks: forks)
        #expect(plan.ahead?.fileName == file(3, ".partial", timeline: 3) && plan.next == nil)
    }

    @Test("a server without its history has all older timelines in its past")
    mutating func lostHistory() throws {
        let plan = try files.plan([file(2), two(3)], timeline: 3)
        #expect(plan.next == position(2, 0x400000) && plan.history == nil && plan.past.count == 2)
    }

    @Test("an error of the reader ends it")
    mutating func errors() throws {
        files.broken = [file(3)]
        #expect(throws: ArchiveFiles.Broken.self) { try files.plan([file(2), file(3)]) }
    }

    @Test("a partial file is stale if there is a complete one, which the stream does not bring again")
    mutating func stale() throws {
        let names = [file(2), file(2, ".partial"), file(3), file(3, ".gz.partial"), file(4, ".partial")]
        var plan = try files.plan(names)
        #expect(plan.stale.map(\.partial.fileName) == [file(3, ".gz.partial"), file(2, ".partial")])
        #expect(plan.stale.map(\.whole.fileName) == [file(3), file(2)])
        plan = try files.plan(names.dropLast())
        #expect(plan.stale.count == 2)
        files.held[file(3)] = 5000
        plan = try files.plan(names.dropLast())
        #expect(plan.stale.map(\.partial.fileName) == [file(2, ".partial")])
    }
}

@Suite("The gaps of an archive")
struct ArchivePlanGapTests {
    private var files = ArchiveFiles()

    private static func gap(_ start: UInt64, _ end: UInt64, timeline: UInt32 = 1) -> WALGap {
        WALGap(start: position(timeline, start), end: position(timeline, end))
    }

    @Test("are between complete segments, and begin where a partial one ends")
    mutating func between() throws {
        files.held = [file(5, ".partial"): 5000, file(8, ".partial"): 1 << 20]
        let names = [3, 4, 7, 9].map { file($0) } + [file(5, ".partial"), file(8, ".partial")]
        var plan = try files.plan(names)
        #expect(
            try plan.gaps(reading: &files) == [Self.gap(0x501388, 0x700000), Self.gap(0x800000, 0x900000)])
        // One that was recorded is not told twice, whatever part of its first segment is held.
        #expect(
            try plan.gaps(except: [Self.gap(0x500000, 0x700000)], reading: &files) == [
                Self.gap(0x800000, 0x900000)
            ])
        plan.past.removeAll { $0.file.fileName == file(7) }
        #expect(try plan.gaps(reading: &files).map(\.end.lsn.rawValue) == [0x900000])
    }

    @Test("are after an incomplete first segment, if that holds anything")
    mutating func first() throws {
        let names = [file(2, ".partial"), file(4)]
        #expect(try files.plan(names).gaps(reading: &files) == [])
        files.held[file(2, ".partial")] = 16
        #expect(try files.plan(names).gaps(reading: &files) == [Self.gap(0x200010, 0x400000)])
    }

    @Test("are on the timelines of the server's history, and what is beyond a fork fills none")
    mutating func forks() throws {
        let names = [file(2), file(3), file(4, timeline: 2)]
        var plan = try files.plan(names, timeline: 2, forks: [1: 0x350000])
        #expect(
            try plan.gaps(reading: &files) == [
                WALGap(start: position(2, 0x350000), end: position(2, 0x400000))
            ])
        plan = try files.plan([file(1), file(4, timeline: 2)], timeline: 2, forks: [1: 0x350000])
        #expect(
            try plan.gaps(reading: &files) == [
                WALGap(start: position(1, 0x200000), end: position(2, 0x400000))
            ])
    }
}
