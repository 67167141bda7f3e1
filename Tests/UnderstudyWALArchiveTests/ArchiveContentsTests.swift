import Testing
import UnderstudyCompression
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

/// Files whose names say something else than their bytes.
@Suite("What the files of an archive hold")
struct ArchiveContentsTests {
    let archive: TestArchive

    init() throws { archive = try TestArchive() }

    private func open() throws -> WALHoldings { try WALDirectory(archive.path).open(TestArchive.origin()) }

    static let suffixes = ["", ".gz", ".lz4", ".zst"]

    // MARK: - Copies of pg_wal

    @Test("does not count where a server has it ready for later: it is set aside", arguments: suffixes)
    func recycled(_ suffix: String) throws {
        try archive.putSegment(file(2, suffix))
        try archive.putSegment(file(3, suffix))
        try archive.putSegment(file(4, suffix), bytes: .wal(of: segment(1)))
        try archive.putSegment(file(5, suffix), bytes: [UInt8](repeating: 0, count: 1 << 20))
        try archive.putSegment(file(6, "\(suffix).partial"), bytes: .wal(of: segment(2)))
        let holdings = try open()
        #expect(holdings.next == position(1, 0x400000))
        #expect(holdings.end == position(1, 0x400000))
        #expect(archive.names == [file(2, suffix), file(3, suffix), "diverged"])
        #expect(archive.asideNames == [file(4, suffix), file(5, suffix), file(6, "\(suffix).partial")])
        #expect(holdings.warnings.count == 1 && holdings.warnings[0].contains("3 files"), "\(holdings.warnings)")
        #expect(try open().withoutTail == WALHoldings(next: position(1, 0x400000), isDurable: true))
    }

    @Test("is a partial segment where the server was still writing it", arguments: suffixes, [true, false])
    func present(_ suffix: String, _ isRecycled: Bool) throws {
        let content = [UInt8].wal(of: segment(3)), old = [UInt8].wal(of: segment(1))
        let rest = isRecycled ? Array(old[409_600...]) : [UInt8](repeating: 0, count: (1 << 20) - 409_600)
        let written = content[..<400_000] + [UInt8](repeating: 0, count: 9600)
        try archive.putSegment(file(2, suffix))
        try archive.putSegment(file(3, suffix), bytes: written + rest)
        let holdings = try open()
        #expect(holdings.next == position(1, 0x300000))
        #expect(holdings.end == position(1, 0x300000 + 400_000))
        #expect(holdings.tail.first?.bytes == Array(content[..<400_000]))
        #expect(archive.names == [file(2, suffix), file(3, "\(suffix).partial")])
        #expect(holdings.warnings.count == 1, "\(holdings.warnings)")

        // What comes is in the file as soon as it is acknowledged, also behind what was copied.
        let compression = Compression.each.first { $0.method.fileSuffix == suffix }!
        var directory: WALDirectory? = WALDirectory(archive.path, compression: compression)
        _ = try directory!.open(TestArchive.origin())
        try directory!.begin(segment(3))
        try directory!.write(content, 0..<500_000)
        #expect(try directory!.sync() == LSN(rawValue: 0x300000 + 500_000))
        directory = nil
        let held = try #require(try archive.content(file(3, "\(suffix).partial")))
        #expect(held.prefix(500_000) == content.prefix(500_000))
    }

    @Test("is of one of two files, if a partial one is there too", arguments: [300_000, 500_000])
    func twice(_ count: Int) throws {
        let content = [UInt8].wal(of: segment(3))
        try archive.putSegment(file(3), upTo: 400_000)
        try archive.putSegment(file(3, ".partial"), upTo: count)
        #expect(try open().next == position(1, 0x300000))
        #expect(archive.names == [file(3, ".partial"), "diverged"])
        #expect(archive.asideNames == [file(3, count > 400_000 ? "" : ".partial")])
        #expect(Array(content.prefix(max(400_000, count))).isHeld(in: try archive.content(file(3, ".partial"))))
    }

    @Test("is said where it is not what an older name says, and is missing then")
    func middle() throws {
        for number: UInt64 in [2, 3, 5, 6] { try archive.putSegment(file(number)) }
        try archive.putSegment(file(4), bytes: .wal(of: segment(1)))
        let holdings = try open()
        #expect(holdings.next == position(1, 0x700000))
        #expect(
            holdings.warnings == [
                "1 file in \"\(archive.path)\" does not hold the WAL that the name says: \(file(4))"
            ])
        #expect(holdings.missing == [gap(0x400000, 0x500000)])
        #expect(archive.names == [2, 3, 4, 5, 6].map { file($0) })
    }

    @Test("is of its timeline, or of the one before in the segment in which it begins")
    func timelines() throws {
        let origin = TestArchive.origin(timeline: 2, forks: [1: 0x350000])
        try archive.putSegment(file(3, timeline: 2), bytes: .wal(of: segment(3)))
        #expect(try WALDirectory(archive.path).open(origin).next == position(2, 0x400000))
        try archive.putSegment(file(4, timeline: 2), bytes: .wal(of: segment(4)))
        #expect(try WALDirectory(archive.path).open(origin).next == position(2, 0x400000))
        #expect(archive.asideNames == [file(4, timeline: 2)])
        // Never of a younger one.
        let other = try TestArchive()
        try other.putSegment(file(4), bytes: .wal(of: segment(4, timeline: 2)))
        #expect(try WALDirectory(other.path).open(TestArchive.origin()).next == nil)
    }

    // MARK: - Gaps

    private func gap(_ start: UInt64, _ end: UInt64, _ timelines: (UInt32, UInt32) = (1, 1)) -> WALGap {
        WALGap(start: position(timelines.0, start), end: position(timelines.1, end))
    }

    @Test("has its gaps told, once in a run")
    func gaps() throws {
        for number: UInt64 in [2, 3, 6, 9] { try archive.putSegment(file(number)) }
        try archive.putSegment(file(12, ".partial"), upTo: 5000)
        let directory = WALDirectory(archive.path)
        let told = [gap(0x400000, 0x600000), gap(0x700000, 0x900000), gap(0xA00000, 0xC00000)]
        #expect(try directory.open(TestArchive.origin()).missing == told)
        #expect(try directory.open(TestArchive.origin()).missing == [])
        directory.close()
        let holdings = try open()
        #expect(holdings.missing == told && holdings.warnings == [])
    }

    /// What is held of a segment is not missing.
    @Test("has a gap begin where a partial segment ends, also the first one", arguments: suffixes)
    func gapBehindPartial(_ suffix: String) throws {
        // Records end at multiples of 8.
        let end = 0x400000 + 300_000 as UInt64
        try archive.putSegment(file(4, "\(suffix).partial"), upTo: 300_000)
        try archive.putSegment(file(6, suffix))
        for _ in 1...2 { #expect(try open().missing == [gap(end, 0x600000)]) }
        try archive.putSegment(file(9, "\(suffix).partial"), upTo: 5000)
        #expect(try open().missing == [gap(end, 0x600000), gap(0x700000, 0x900000)])
        // Nothing is complete.
        try Program.check("/bin/rm", ["\(archive.path)/\(file(6, suffix))"])
        #expect(try open().missing == [gap(end, 0x900000)])
        // One that holds nothing is no beginning.
        try archive.putSegment(file(2, "\(suffix).partial"), upTo: 0)
        #expect(try open().missing == [gap(end, 0x900000)])
        // One that holds all has not the name of one that does.
        try archive.putSegment(file(4, "\(suffix).partial"))
        #expect(try open().missing == [gap(0x500000, 0x900000)])
        try archive.putSegment(file(5, suffix))
        #expect(try open().missing == [gap(0x400000, 0x500000), gap(0x600000, 0x900000)])
    }

    @Test("has no gap where a timeline ended in a segment, and one where that of the next is missing")
    func gapsOfTimelines() throws {
        let origin = TestArchive.origin(timeline: 2, forks: [1: 0x350000])
        try archive.putSegment(file(2))
        try archive.putSegment(file(3, ".partial"), upTo: 0x50000)
        try archive.putSegment(file(3, timeline: 2))
        try archive.putSegment(file(4, timeline: 2))
        #expect(try WALDirectory(archive.path).open(origin).missing == [])
        try Program.check("/bin/rm", ["\(archive.path)/\(file(3, timeline: 2))"])
        #expect(try WALDirectory(archive.path).open(origin).missing == [gap(0x350000, 0x400000, (2, 2))])
        // Up to the fork at most.
        try archive.putSegment(file(3), upTo: nil)
        #expect(try WALDirectory(archive.path).open(origin).missing == [gap(0x350000, 0x400000, (2, 2))])
    }

    // MARK: - Stale partial files

    @Test(
        "is removed with a partial name where a complete segment holds it, in whatever compression", arguments: suffixes
    )
    func stale(_ suffix: String) throws {
        for other in Self.suffixes {
            try archive.putSegment(file(3, suffix))
            try archive.putSegment(file(4, suffix))
            try archive.putSegment(file(3, "\(other).partial"), upTo: 300_000)
            #expect(try open().warnings == [])
            #expect(archive.names == [file(3, suffix), file(4, suffix)])
        }
    }

    @Test("stays with a partial name where it is not the same, or the complete one is not good", arguments: suffixes)
    func notStale(_ suffix: String) throws {
        var other = [UInt8].wal(of: segment(3))
        other[200_000] ^= 0x55
        try archive.putSegment(file(3))
        try archive.putSegment(file(4))
        try archive.putSegment(
            file(3, "\(suffix).partial"),
            bytes: Array(other[..<300_000]) + (suffix == "" ? [UInt8](repeating: 0, count: (1 << 20) - 300_000) : []))
        let names = archive.names
        _ = try open()
        #expect(archive.names == names)
        try archive.putSegment(file(3, "\(suffix).partial"), upTo: 300_000)
        try archive.put(file(3), Array([UInt8].wal(of: segment(3)).prefix(1000)))
        _ = try open()
        #expect(archive.names == names)
    }

    // MARK: - Real segments

    @Test(
        "is whole where servers of any version have filled the segment or left it for the next",
        arguments: Recording.versions)
    func recorded(_ version: String) throws {
        let recording = try Recording(version)
        let size = try #require(WALSegmentSize(bytes: UInt64(recording.meta.segment_size)))
        let facts = try #require(recording.meta.streams["31-start-replication"])
        let wal = try recording.wal("31-start-replication")
        for (index, segment) in facts.segments.enumerated() {
            let start = index * recording.meta.segment_size
            let file = try #require(ArchivedSegment(fileName: segment.name, size: size))
            try archive.put(
                segment.name,
                Array(wal[start..<start + segment.bytes])
                    + [UInt8](repeating: 0, count: recording.meta.segment_size - segment.bytes))
            let extent = try #require(try ArchivedContents(file, in: .init(path: archive.path)).extent())
            #expect(extent.isWhole == segment.complete, "\(segment.name) \(extent)")
            #expect(
                extent.end <= segment.bytes && extent.end > segment.bytes - (segment.complete ? segment.bytes : 8192))
        }
    }
}
