import Testing
import UnderstudyWAL

@Suite struct WALSegmentSizeTests {
    @Test("powers of two from 1 MB to 1 GB are sizes", arguments: 20...30)
    func accepts(exponent: Int) throws {
        #expect(try #require(WALSegmentSize(bytes: 1 << UInt64(exponent))).bytes == 1 << UInt64(exponent))
    }

    @Test(
        "anything else is not",
        arguments: [0, 1, 1 << 19, 3 << 20, (1 << 24) - 1, (1 << 24) + 1, 1 << 31, .max] as [UInt64])
    func refuses(bytes: UInt64) {
        #expect(WALSegmentSize(bytes: bytes) == nil)
    }

    @Test(
        "the text of SHOW wal_segment_size is read",
        arguments: [
            ("16MB", 16 << 20), ("1MB", 1 << 20), ("1GB", 1 << 30), ("1024kB", 1 << 20), ("16777216B", 16 << 20),
        ] as [(String, UInt64)])
    func readsShow(text: String, bytes: UInt64) {
        #expect(WALSegmentSize(showText: text)?.bytes == bytes)
    }

    @Test(
        "other texts are refused",
        arguments: [
            "", "16", "MB", "16 MB", "16mb", "-16MB", "+16MB", "3MB", "2GB", "1TB", "18446744073709551615GB", "١MB",
        ])
    func refusesShow(text: String) {
        #expect(WALSegmentSize(showText: text) == nil)
    }
}

@Suite struct WALSegmentNameTests {
    static let names: [(text: String, megabytes: UInt64, timeline: UInt32, start: String, end: String)] = [
        ("000000010000000000000001", 16, 1, "0/1000000", "0/2000000"),
        ("0000000100000000000000FF", 16, 1, "0/FF000000", "1/0"),
        ("000000020000000100000000", 16, 2, "1/0", "1/1000000"),
        ("0000000A00000016000000B3", 16, 10, "16/B3000000", "16/B4000000"),
        ("000000010000000000000FFF", 1, 1, "0/FFF00000", "1/0"),
        ("000000010000000200000003", 1024, 1, "2/C0000000", "3/0"),
        ("00000001000000020000003F", 64, 1, "2/FC000000", "3/0"),
        ("FFFFFFFFFFFFFFFF000000FE", 16, .max, "FFFFFFFF/FE000000", "FFFFFFFF/FF000000"),
        ("000000000000000000000000", 16, 0, "0/0", "0/1000000"),
    ]

    @Test("a name stands for its bytes of the log, and back", arguments: names)
    func roundTrip(text: String, megabytes: UInt64, timeline: UInt32, start: String, end: String) throws {
        let size = try #require(WALSegmentSize(bytes: megabytes << 20))
        let name = try #require(WALSegmentName(text, size: size))
        #expect(name.timeline.rawValue == timeline)
        #expect(name.startLSN.description == start)
        #expect(name.endLSN.description == end)
        #expect(name.description == text)

        let last = LSN(rawValue: name.endLSN.rawValue - 1)
        #expect(WALSegmentName(containing: name.startLSN, timeline: name.timeline, size: size) == name)
        #expect(WALSegmentName(containing: last, timeline: name.timeline, size: size) == name)
        #expect(name.contains(name.startLSN) && name.contains(last) && !name.contains(name.endLSN))
        #expect(last.segmentStart(size) == name.startLSN)
        #expect(last.segmentOffset(size) == size.bytes - 1)
        #expect(name.startLSN.isSegmentStart(size) && !last.isSegmentStart(size))
        #expect(last.segmentNumber(size) == name.number)
    }

    @Test("the next segment begins where this one ends")
    func next() throws {
        let name = try #require(WALSegmentName("0000000100000000000000FF", size: .default))
        let next = try #require(name.next)
        #expect(next.description == "000000010000000100000000")
        #expect(next.startLSN == name.endLSN)
    }

    @Test("the last segment of the address space is refused, for it has no end")
    func last() throws {
        #expect(WALSegmentName("00000001FFFFFFFF000000FF", size: .default) == nil)
        #expect(
            WALSegmentName(containing: LSN(rawValue: .max), timeline: TimelineID(rawValue: 1), size: .default) == nil)
        #expect(WALSegmentName(timeline: TimelineID(rawValue: 1), number: .max, size: .default) == nil)
        #expect(try #require(WALSegmentName("00000001FFFFFFFF000000FE", size: .default)).next == nil)
    }

    @Test(
        "a file name that is no segment name is refused",
        arguments: [
            "", "00000001000000000000001", "0000000100000000000000001", "00000001000000000000000a",
            "00000001000000000000000G", "000000010000000000000001.partial", "00000002.history",
            "+0000001000000000000000A", "0000000100000000000000Aé",
        ])
    func refuses(text: String) {
        #expect(WALSegmentName(text, size: .default) == nil)
        #expect(!WALSegmentName.isSegmentName(text))
    }

    @Test("a name of another segment size is refused where its last part is too large")
    func otherSize() throws {
        let name = "000000010000000000000100"
        #expect(WALSegmentName(name, size: .default) == nil)
        #expect(WALSegmentName(name, size: try #require(WALSegmentSize(bytes: 1 << 20))) != nil)
        #expect(WALSegmentName.isSegmentName(name))
    }

    @Test(
        "a history file is named by its timeline",
        arguments: [(2, "00000002.history"), (.max, "FFFFFFFF.history")] as [(UInt32, String)])
    func historyFileName(timeline: UInt32, name: String) {
        #expect(TimelineID(rawValue: timeline).historyFileName == name)
    }
}

@Suite struct WALSegmentTests {
    @Test("a segment is made from its place or from its name")
    func made() throws {
        let start = LSN(rawValue: 0x300_0000)
        let segment = try #require(WALSegment(timeline: 2, start: start, size: 16 << 20))
        #expect(segment.name == "000000020000000000000003")
        #expect(segment.timeline == 2 && segment.start == start && segment.size == 16 << 20)
        #expect(segment.end.description == "0/4000000")
        #expect(WALSegment(name: "000000020000000000000003", size: 16 << 20) == segment)
        #expect(WALSegment(name: "000000020000000000000003", size: 1 << 20) != segment)
    }

    @Test(
        "no segment begins elsewhere, has another size, or ends beyond the log",
        arguments: [
            (0x300_0001, 16 << 20), (0x310_0000, 16 << 20), (0x300_0000, 0), (0x300_0000, -1), (0x300_0000, 3 << 20),
            (.max, 16 << 20), (.max - 0xFF_FFFF, 16 << 20),
        ] as [(UInt64, Int)])
    func refused(start: UInt64, size: Int) {
        #expect(WALSegment(timeline: 1, start: LSN(rawValue: start), size: size) == nil)
    }

    @Test("no segment has another name", arguments: [("00000001000000000000000a", 16 << 20), ("", 0)])
    func refusedName(name: String, size: Int) {
        #expect(WALSegment(name: name, size: size) == nil)
    }

    @Test(
        "a timeline is read from the name of its history file",
        arguments: [
            ("00000002.history", 2), ("FFFFFFFF.history", .max), ("0000000A.history", 10), ("2.history", nil),
            ("0000000a.history", nil), ("00000002.history.gz", nil), ("+0000002.history", nil), (".history", nil),
            ("000000002.history", nil),
        ] as [(String, UInt32?)])
    func timeline(name: String, timeline: UInt32?) {
        #expect(TimelineID(historyFileName: name)?.rawValue == timeline)
    }
}

@Suite struct LSNArithmeticTests {
    @Test("positions advance, and stop being positions beyond the end of the log")
    func advances() {
        #expect(LSN(rawValue: 0xFFFF_FFFF).advanced(by: 1)?.description == "1/0")
        #expect(LSN(rawValue: .max).advanced(by: 0) == LSN(rawValue: .max))
        #expect(LSN(rawValue: .max).advanced(by: 1) == nil)
    }

    @Test("the distance to an earlier position is nil, never a huge number")
    func distance() {
        #expect(LSN(rawValue: 5).distance(to: LSN(rawValue: 12)) == 7)
        #expect(LSN(rawValue: 5).distance(to: LSN(rawValue: 5)) == 0)
        #expect(LSN(rawValue: 5).distance(to: LSN(rawValue: 4)) == nil)
    }
}
