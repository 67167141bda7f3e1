import Testing
import UnderstudyCompression
import UnderstudyWAL

@Suite("The names in an archive")
struct ArchiveListingTests {
    private func listing(_ names: [String]) -> ArchiveListing {
        ArchiveListing(names: names, segmentSize: ArchiveFiles.size)
    }

    @Test("are those of segments, newest first, and of histories; others are skipped")
    func kinds() {
        let listing = listing([
            file(2), "00000002.history", "README", file(3, ".zst.partial"), "00000003.history.gz", file(3),
            "00000002.history.lz4", "00000002.history.gz.partial",
        ])
        #expect(listing.segments.map(\.fileName) == [file(3), file(3, ".zst.partial"), file(2)])
        #expect(Set(listing.histories.map(\.fileName)).count == 3)
        #expect(listing.history(of: 2)?.fileName == "00000002.history")
        #expect(listing.history(of: 3)?.compression == .gzip)
        #expect(listing.history(of: 4) == nil)
    }

    @Test("show another segment size only if no file has this one")
    func otherSize() {
        let other = "000000010000000000001000"
        #expect(listing([other, "x"]).otherSize == other)
        #expect(listing([other, file(3)]).otherSize == nil)
        #expect(listing(["x"]).otherSize == nil)
    }

    @Test("do not count if an intact file cannot have its size")
    func sizes() {
        let size = ArchiveFiles.size.bytes
        let files: [(String, UInt64?)] = [
            (file(1), size), (file(2), size - 1), (file(3), nil), (file(4), size + 1), (file(5, ".gz"), 1),
            (file(6, ".partial"), 0), (file(7, ".partial"), size), (file(8, ".partial"), size + 1),
        ]
        let listing = ArchiveListing(
            files.map { ArchiveListing.File($0.0, size: $0.1) }, segmentSize: ArchiveFiles.size)
        #expect(listing.missized.map(\.fileName) == [file(2), file(4), file(8, ".partial")])
        #expect(
            listing.segments.map(\.fileName) == [
                file(7, ".partial"), file(6, ".partial"), file(5, ".gz"), file(3), file(1),
            ])
    }

    @Test("fill a gap if all its segments are complete")
    func fills() {
        let gap = WALGap(start: position(1, 0x350000), end: position(2, 0x500000))
        #expect(listing([file(3), file(4, ".gz", timeline: 2)]).fills(gap))
        #expect(!listing([file(3), file(4, ".partial")]).fills(gap))
        #expect(!listing([file(4)]).fills(gap))
    }

    @Test("show which files a new position rests on")
    func complete() {
        let listing = listing((1...5).map { file($0) } + [file(3, ".partial")])
        let found = listing.complete(after: LSN(rawValue: 0x300000), upTo: LSN(rawValue: 0x500000))
        #expect(found.map(\.fileName) == [file(4), file(3)])
    }

    @Test(
        "show the partial files of older timelines that a restore would take",
        arguments: [
            // The timeline begins within the segment, at its start, before it; its history is not known.
            ([1: 0x350000], [file(3, ".gz.partial"), file(3, ".partial")], 0x50000), ([1: 0x300000], [], 0),
            ([1: 0x2F0000], [], 0), (nil, [file(3, ".gz.partial"), file(3, ".partial")], 1 << 20),
        ] as [([UInt32: UInt64]?, [String], UInt64)])
    func beginnings(_ forks: [UInt32: UInt64]?, _ names: [String], _ limit: UInt64) throws {
        let listing = listing([
            file(3), file(3, ".partial"), file(3, ".gz.partial"), file(4, ".partial"), file(2, ".partial"),
            file(3, ".partial", timeline: 2), file(3, ".partial", timeline: 5),
        ])
        let segment = try #require(WALSegmentName(file(3, timeline: 2), size: ArchiveFiles.size))
        let found = listing.beginnings(of: segment, try forks.map { try ArchiveFiles.history(2, $0) })
        #expect(found.files.map(\.fileName).sorted() == names.sorted() && found.limit == limit)
    }

    @Test("of an ancestor that is not in the history do not count")
    func otherAncestor() throws {
        let listing = listing([file(3, ".partial"), file(3, ".partial", timeline: 2)])
        let segment = try #require(WALSegmentName(file(3, timeline: 3), size: ArchiveFiles.size))
        let found = listing.beginnings(of: segment, try ArchiveFiles.history(3, [1: 0x350000]))
        #expect(found.files.map(\.fileName) == [file(3, ".partial")])
    }

    @Test(
        "of histories are as pg_receivewal writes them",
        arguments: ["00000002.history", "0000000A.history.gz", "00000003.history.lz4", "FFFFFFFF.history.zst"])
    func historyNames(_ name: String) {
        #expect(ArchivedHistory(fileName: name)?.fileName == name)
    }

    @Test(
        "of histories are no others",
        arguments: [
            "2.history", "00000002.history.bz2", "00000002.history.gz.gz", "00000002.history.partial", ".gz", "",
        ])
    func otherHistoryNames(_ name: String) {
        #expect(ArchivedHistory(fileName: name) == nil)
    }
}
