import Testing
import UnderstudyReceiver
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyArchiver

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
            #expect(try directory.open(TestArchive.origin()).withoutTail == expected)
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
}
