import Testing
import UnderstudyCompression
import UnderstudyWAL

private func archived(_ name: String) throws -> ArchivedSegment {
    try #require(ArchivedSegment(fileName: name, size: .default), "\(name) is the name of no segment's file")
}

@Suite("The name of a file in a WAL archive")
struct ArchivedSegmentNameTests {
    static let suffixes: [(String, Compression.Method?, Bool)] = [
        ("", .none, false), (".partial", .none, true), (".gz", .gzip, false), (".gz.partial", .gzip, true),
        (".lz4", .lz4, false), (".lz4.partial", .lz4, true), (".zst", .zstd, false), (".zst.partial", .zstd, true),
    ]

    @Test("tells segment, compression and whether it is complete, and back", arguments: suffixes)
    func roundTrip(_ suffix: String, _ compression: Compression.Method?, _ isPartial: Bool) throws {
        let name = "0000000200000001000000FE\(suffix)"
        let file = try archived(name)
        #expect(file.segment == WALSegmentName("0000000200000001000000FE", size: .default))
        #expect(file.compression == compression && file.isPartial == isPartial)
        #expect(file.fileName == name)
        #expect(
            file == ArchivedSegment(segment: file.segment, compression: compression, isPartial: isPartial))
        #expect(ArchivedSegment.isFileName(name))
        // At its start again as long as it is not complete.
        #expect(file.nextLSN == LSN(isPartial ? "1/FE000000" : "1/FF000000"))
    }

    @Test(
        "is none where anything else stands",
        arguments: [
            "", ".partial", "00000002.history", "00000002.history.gz", "archive_status", ".understudy.new",
            "00000001000000000000000", "0000000100000000000000030", "00000001000000000000000a",
            "00000001000000000000000G", "000000010000000000000003 ", " 000000010000000000000003",
            "000000010000000000000003.", "000000010000000000000003.bz2", "000000010000000000000003.GZ",
            "000000010000000000000003.gz.", "000000010000000000000003.partial.gz",
            "000000010000000000000003.partial.partial", "000000010000000000000003.gz.lz4",
            "000000010000000000000003.gzpartial", "000000010000000000000003partial",
            "000000010000000000000003.00000028.backup", "000000010000000000000003.tmp",
            "000000010000000000000003\u{301}", "00000001000000000000000\u{663}", "000000010000000000000003.gz\n",
        ])
    func others(_ name: String) {
        #expect(ArchivedSegment(fileName: name, size: .default) == nil)
        #expect(!ArchivedSegment.isFileName(name))
    }

    @Test("may be one of a cluster with segments of another size")
    func otherSize() throws {
        let large = try #require(WALSegmentSize(bytes: 1 << 30)), small = try #require(WALSegmentSize(bytes: 1 << 20))
        let name = "000000010000000000000FFF.gz"
        #expect(ArchivedSegment.isFileName(name))
        #expect(ArchivedSegment(fileName: name, size: small)?.nextLSN == LSN("1/0"))
        #expect(ArchivedSegment(fileName: name, size: .default) == nil)
        #expect(ArchivedSegment(fileName: name, size: large) == nil)
    }
}

/// As pg_receivewal's FindStreamingStart chooses: the highest segment number, of it the highest timeline, of these the
/// complete one.
@Suite("The order of files in a WAL archive")
struct ArchivedSegmentOrderTests {
    /// Newest first.
    static let order = [
        "000000010000000100000000.partial", "0000000300000000000000FF", "0000000300000000000000FF.gz",
        "0000000300000000000000FF.lz4", "0000000300000000000000FF.zst", "0000000300000000000000FF.partial",
        "0000000300000000000000FF.gz.partial", "0000000200000000000000FF", "0000000100000000000000FF",
        "0000000100000000000000FF.zst.partial", "0000000900000000000000FE", "0000000100000000000000FE.gz",
    ]

    @Test("is by place, then timeline, then completeness, and without a choice left open")
    func total() throws {
        let files = try Self.order.map(archived)
        for (index, file) in files.enumerated() {
            for (other, second) in files.enumerated() {
                #expect(file.isNewer(than: second) == (index < other), "\(file.fileName) \(second.fileName)")
            }
        }
    }

    @Test("does not depend on the order in which a directory lists them", arguments: 0..<10)
    func sorted(_ turn: Int) throws {
        let files = try Self.order.map(archived)
        let turned = Array(files[turn...].reversed() + files[..<turn])
        #expect(turned.sorted { $0.isNewer(than: $1) }.map(\.fileName) == Self.order)
    }
}

@Suite("How a file of a WAL archive stands to a server's past")
struct ArchivedSegmentRelationTests {
    /// Timeline 5, from timeline 4, from 2, from 1; 2 ends on a segment boundary, 1 within segment 3.
    static let history = "1\t0/3000028\tx\n2\t0/5000000\tx\n4\t0/7000100\tx\n"

    static let table: [(String, ArchivedSegment.Relation)] = [
        // Its own timeline: nothing can be said against it, wherever it lies.
        ("000000050000000000000007", .past), ("0000000500000000000000FF.partial", .past),
        ("000000050000000000000001", .past),
        ("000000060000000000000007", .future), ("000000060000000000000001.partial", .future),
        // The first ancestor: whole segments before its end; the one that the switch is in; those behind it.
        ("000000010000000000000002", .past), ("000000010000000000000002.partial", .past),
        ("000000010000000000000003", .pastUpTo(LSN(rawValue: 0x300_0028))),
        ("000000010000000000000003.gz", .pastUpTo(LSN(rawValue: 0x300_0028))),
        ("000000010000000000000003.partial", .pastUpTo(LSN(rawValue: 0x300_0028))),
        ("000000010000000000000003.gz.partial", .pastUpTo(LSN(rawValue: 0x300_0028))),
        ("000000010000000000000004", .diverged), ("000000010000000000000004.partial", .diverged),
        // A switch on a segment boundary: up to it whole, from it on nothing.
        ("000000020000000000000004", .past), ("000000020000000000000004.partial", .past),
        ("000000020000000000000005", .diverged), ("000000020000000000000005.partial", .diverged),
        // The parent.
        ("000000040000000000000006", .past),
        ("000000040000000000000007", .pastUpTo(LSN(rawValue: 0x700_0100))),
        ("000000040000000000000007.partial", .pastUpTo(LSN(rawValue: 0x700_0100))),
        // A timeline that the server's never was.
        ("000000030000000000000001", .diverged), ("000000030000000000000004.partial", .diverged),
    ]

    @Test("is told by its timeline's end", arguments: table)
    func relation(_ name: String, _ relation: ArchivedSegment.Relation) throws {
        #expect(try archived(name).relation(to: TimelineHistoryTests.history(Self.history)) == relation)
    }

    @Test(
        "takes into account a recovery to before an ancestor's end",
        arguments: [
            ("000000010000000000000003", .past),
            ("000000010000000000000004", .pastUpTo(LSN(rawValue: 0x400_0100))),
            ("000000010000000000000004.partial", .pastUpTo(LSN(rawValue: 0x400_0100))),
            ("000000010000000000000005.partial", .diverged), ("000000020000000000000006", .diverged),
            ("000000020000000000000004.partial", .pastUpTo(LSN(rawValue: 0x400_0100))),
            ("000000030000000000000004", .past),
        ] as [(String, ArchivedSegment.Relation)])
    func descending(_ name: String, _ relation: ArchivedSegment.Relation) throws {
        let history = try TimelineHistoryTests.history("1\t0/6000000\tx\n2\t0/4000100\tx\n", of: 3)
        #expect(try archived(name).relation(to: history) == relation)
    }

    @Test("is simple for a server that was never promoted")
    func root() throws {
        let history = TimelineHistory(root: TimelineID(rawValue: 1))
        #expect(try archived("000000010000000000000007.partial").relation(to: history) == .past)
        #expect(try archived("000000020000000000000001").relation(to: history) == .future)
    }
}
