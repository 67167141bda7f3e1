import Testing
import UnderstudyStreaming
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

@Suite("A gap in an archive")
struct GapNoteTests {
    private static let gap = WALGap(start: position(1, 0x400000), end: position(2, 0x700000))

    /// An archive that ends with segment 3, in which the gap was noted.
    private func noted() throws -> TestArchive {
        let archive = try TestArchive()
        try archive.putSegment(file(3))
        let directory = WALDirectory(archive.path)
        #expect(try directory.open(TestArchive.origin()).gaps == [])
        try directory.noteGap(Self.gap)
        directory.close()
        return archive
    }

    @Test("is noted in a file that is no segment, and told at every start")
    func told() throws {
        let archive = try noted()
        #expect(archive.names == [file(3), file(4, ".missing")])
        #expect(!ArchivedSegment.isFileName(file(4, ".missing")))
        let before = FileTree.snapshot(archive.path)
        var expected = WALHoldings(next: position(1, 0x400000), isDurable: true)
        expected.gaps = [Self.gap]
        for _ in 1...2 {
            let directory = WALDirectory(archive.path)
            let holdings = try directory.open(TestArchive.origin())
            #expect(holdings.withoutTail == expected)
            #expect(holdings.begin == position(1, 0x300000))
            directory.close()
        }
        #expect(FileTree.snapshot(archive.path) == before)
    }

    @Test("is over when every segment of it is there, complete")
    func filled() throws {
        let archive = try noted()
        for number: UInt64 in 4...6 {
            #expect(try WALDirectory(archive.path).open(TestArchive.origin()).gaps == [Self.gap])
            try archive.putSegment(file(number, number == 6 ? ".partial" : ""))
        }
        #expect(try WALDirectory(archive.path).open(TestArchive.origin()).gaps == [Self.gap])
        try archive.putSegment(file(6))
        #expect(try WALDirectory(archive.path).open(TestArchive.origin()).gaps == [])
    }

    @Test("can be noted again, longer, and a note that makes no sense is none")
    func again() throws {
        let archive = try noted()
        let longer = WALGap(start: Self.gap.start, end: position(2, 0x900000))
        let directory = WALDirectory(archive.path)
        _ = try directory.open(TestArchive.origin())
        try directory.noteGap(longer)
        directory.close()
        for (number, text) in [(8, ""), (9, "start 0/900000 1\nend x 1\n"), (10, "start 0/A00000 1\nend 0/100000 1\n")]
        {
            try archive.put(file(UInt64(number), ".missing"), Array(text.utf8))
        }
        #expect(try WALDirectory(archive.path).open(TestArchive.origin()).gaps == [longer])
    }

    @Test("is found again where the archive ends, in the middle of a segment or noted from its start on")
    func atEnd() throws {
        let archive = try TestArchive()
        try archive.putSegment(file(3))
        try archive.putSegment(file(4, ".partial"), upTo: 5000)
        let held = position(1, 0x400000 + 5000)
        for start in [held, position(1, 0x400000)] {
            let directory = WALDirectory(archive.path), gap = WALGap(start: start, end: position(1, 0x700000))
            _ = try directory.open(TestArchive.origin())
            try directory.noteGap(gap)
            directory.close()
            #expect(archive.names == [file(3), file(4, ".missing"), file(4, ".partial")])
            let holdings = try WALDirectory(archive.path).open(TestArchive.origin())
            #expect(holdings.gaps == [gap] && holdings.missing == [])
            #expect(holdings.gapAtEnd(TestArchive.size, nil) == gap)
            #expect(holdings.heldEnd(from: position(1, 0x400000), nil) == held)
        }
        // Once there is something behind it, the stream goes on there.
        try archive.putSegment(file(7))
        let holdings = try WALDirectory(archive.path).open(TestArchive.origin())
        #expect(holdings.gaps.count == 1 && holdings.missing == [])
        #expect(holdings.gapAtEnd(TestArchive.size, nil) == nil)
    }
}

@Suite("A range of WAL that is missing")
struct MissingWALTests {
    /// Timeline 1 ended at 0/380000, timeline 2 at 0/790000.
    private let history: TimelineHistory

    init() throws {
        history = try TimelineHistory(
            parsing: TestArchive.history([1: 0x380000, 2: 0x790000]), of: TimelineID(rawValue: 3))
    }

    @Test(
        "is of the timelines that the server's history has there",
        arguments: [
            (0x300000, 0x380000, "timeline 1"), (0x300000, 0x400000, "timelines 1 to 2"),
            (0x380000, 0x400000, "timeline 2"), (0x412345, 0x790000, "timeline 2"),
            (0x300000, 0x800000, "timelines 1 to 3"), (0x800000, 0x900000, "timeline 3"),
        ] as [(UInt64, UInt64, String)])
    func timelines(_ start: UInt64, _ end: UInt64, _ timelines: String) {
        // The files before it are of timeline 1.
        let range = MissingWAL(from: position(1, start), to: position(3, end), history: history)
        #expect(
            range.description
                == "WAL from \(LSN(rawValue: start)) up to \(LSN(rawValue: end)) (\(timelines))")
    }

    @Test("is of those that are known, without a history or an end")
    func unknown() {
        #expect(
            MissingWAL(from: position(1, 0x300000), to: position(2, 0x400000), history: nil).description
                == "WAL from 0/300000 up to 0/400000 (timelines 1 to 2)")
        #expect(
            MissingWAL(from: position(1, 0x380000), to: nil, history: history).description
                == "WAL from 0/380000 up to a position that the server does not tell (timeline 2)")
    }
}
