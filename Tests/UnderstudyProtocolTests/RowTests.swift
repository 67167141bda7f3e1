import Testing
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyProtocol

@Suite("Rows of the server")
struct RowTests {
    private static func set(_ rows: [String?]...) -> ResultSet {
        ResultSet(columns: (0..<(rows.first?.count ?? 0)).map { "c\($0)" }, rows: rows)
    }

    @Test("of a recorded backup are read as what they are known to mean", arguments: Recording.versions)
    func recorded(_ version: String) throws {
        let recording = try RecordedBackup(version: version)
        try #require(recording.rows.count == 3)
        let start = try BackupPosition(recording.rows[0])
        #expect(start.lsn == LSN(recording.facts.start_lsn))
        #expect(start.timeline.rawValue == recording.facts.start_timeline)
        let end = try BackupPosition(recording.rows[2])
        #expect(end.lsn == LSN(recording.facts.stop_lsn))
        #expect(end.timeline.rawValue == recording.facts.stop_timeline)
        let expected = recording.facts.tablespaces.map {
            AnnouncedArchive(oid: $0.oid, location: $0.path, size: $0.size_kb.map { $0 * 1024 })
        }
        #expect(try AnnouncedArchive.decode(recording.rows[1]) == expected)
    }

    // MARK: IDENTIFY_SYSTEM

    @Test("IDENTIFY_SYSTEM has three columns up to 9.3, four from 9.4, and maybe more")
    func identity() throws {
        let rows: [[String?]] = [
            ["7660823421498812345", "1", "0/3000148"], ["7660823421498812345", "1", "0/3000148", nil],
            ["7660823421498812345", "1", "0/03000148", nil, "new"],
        ]
        for row in rows {
            let identity = try SystemIdentity(Self.set(row))
            #expect(identity.systemIdentifier == "7660823421498812345")
            #expect(identity.timeline == TimelineID(rawValue: 1))
            #expect(identity.position == LSN(rawValue: 0x300_0148))
        }
    }

    @Test(
        "an identity that is none is refused",
        arguments: [
            [[nil, "1", "0/1"]], [["", "1", "0/1"]], [["12a", "1", "0/1"]], [["½", "1", "0/1"]], [["-1", "1", "0/1"]],
            [["1", nil, "0/1"]], [["1", "0", "0/1"]], [["1", "-1", "0/1"]], [["1", "4294967296", "0/1"]],
            [["1", "x", "0/1"]], [["1", "1", nil]], [["1", "1", ""]], [["1", "1", "0"]], [["1", "1", "0/"]],
            [["1", "1", "0/123456789"]], [["1", "1", "0/G"]], [["1", "1"]], [["1"]], [[]], [],
            [["1", "1", "0/1"], ["1", "1", "0/1"]],
        ] as [[[String?]]])
    func hostileIdentity(_ rows: [[String?]]) {
        let error = #expect(throws: ProtocolError.self) { try SystemIdentity(ResultSet(columns: [], rows: rows)) }
        #expect(error?.message.contains("IDENTIFY_SYSTEM") == true)
    }

    // MARK: Positions

    @Test(
        "a position that is none is refused",
        arguments: [
            [], [[]], [[nil]], [["x"]], [["0/1"]], [["0/1", nil]], [["0/1", "0"]], [["0/1", "x"]],
            [["0/1", "1"], ["0/1", "1"]],
            [["FFFFFFFFF/0", "1"]], [["0/1/2", "1"]], [["-1/0", "1"]],
        ] as [[[String?]]])
    func hostilePosition(_ rows: [[String?]]) {
        #expect(throws: ProtocolError.self) {
            try BackupPosition(ResultSet(columns: [], rows: rows))
        }
    }

    // MARK: Tablespaces

    @Test("sizes are in kilobytes, and absent where they were not asked for")
    func sizes() throws {
        let archives = try AnnouncedArchive.decode(Self.set(["16385", "/ts", "18"], [nil, nil, nil]))
        #expect(
            archives == [
                AnnouncedArchive(oid: 16385, location: "/ts", size: 18432),
                AnnouncedArchive(oid: nil, location: nil, size: nil),
            ])
    }

    @Test("as many tablespaces are taken as a mark can name, and locations as long as a server's links can be")
    func bounds() throws {
        func list(_ count: Int, _ location: String) -> ResultSet {
            let rows: [[String?]] = (1...count).map { ["\($0)", location, nil] }
            return ResultSet(columns: ["spcoid", "spclocation", "size"], rows: rows + [[nil, nil, nil]])
        }
        #expect(try AnnouncedArchive.decode(list(10_000, "/ts")).count == 10_001)
        let many = #expect(throws: ProtocolError.self) { try AnnouncedArchive.decode(list(10_001, "/ts")) }
        #expect(many?.message.contains("at most 10000 tablespaces are taken") == true)
        let long = "/" + String(repeating: "ä", count: 511)
        #expect(try AnnouncedArchive.decode(list(1, "\(long)x")).first?.location?.utf8.count == 1024)
        let longer = #expect(throws: ProtocolError.self) { try AnnouncedArchive.decode(list(1, "\(long)xx")) }
        #expect(longer?.message.contains("it has 1025 bytes, and at most 1024 are taken") == true)
        let heavy = #expect(throws: ProtocolError.self) { try AnnouncedArchive.decode(list(4000, long)) }
        #expect(heavy?.message.contains("their locations have 4092000 bytes, and at most 3145728 are taken") == true)
    }

    @Test(
        "a size that is negative or too large is no estimate",
        arguments: ["-1", "-9223372036854775808", "9223372036854775807", "18014398509481984"])
    func absurdSizes(_ size: String) throws {
        #expect(try AnnouncedArchive.decode(Self.set([nil, nil, size])).first?.size == nil)
    }

    @Test("the largest size that bytes can count is one")
    func largestSize() throws {
        let archives = try AnnouncedArchive.decode(Self.set([nil, nil, "18014398509481983"]))
        #expect(archives.first?.size == UInt64.max - 1023)
    }

    @Test(
        "a list of tablespaces that makes no sense is refused",
        arguments: [
            [], [[]], [[nil, nil]], [["1", "/ts", "1"]], [[nil, nil, "1"], [nil, nil, "1"]],
            [["1", "/ts", "1"], ["1", "/other", "1"], [nil, nil, "1"]], [["0", "/ts", "1"], [nil, nil, "1"]],
            [["-1", "/ts", "1"], [nil, nil, "1"]], [["4294967296", "/ts", "1"], [nil, nil, "1"]],
            [["x", "/ts", "1"], [nil, nil, "1"]], [["../../etc", "/ts", "1"], [nil, nil, "1"]],
            [["1", nil, "1"], [nil, nil, "1"]], [["1", "", "1"], [nil, nil, "1"]], [[nil, nil, "x"]],
            [[nil, nil, "1.5"]], [[nil, nil, ""]], [[nil, nil, "99999999999999999999"]],
        ] as [[[String?]]])
    func hostileTablespaces(_ rows: [[String?]]) {
        #expect(throws: ProtocolError.self) { try AnnouncedArchive.decode(ResultSet(columns: [], rows: rows)) }
    }

    // MARK: The rest

    @Test("a slot that is absent has NULL in every field")
    func slots() throws {
        #expect(try SlotState.decode(Self.set([nil, nil, nil])) == nil)
        let position = LSN(rawValue: 0x100_0000)
        #expect(
            try SlotState.decode(Self.set(["physical", "0/1000000", "3"]))
                == SlotState(kind: "physical", restartLSN: position, restartTimeline: TimelineID(rawValue: 3)))
        // A slot that was never used, and a position whose timeline is not told.
        #expect(
            try SlotState.decode(Self.set(["physical", nil, nil]))
                == SlotState(kind: "physical", restartLSN: nil, restartTimeline: nil))
        for timeline in [nil, "0"] {
            #expect(
                try SlotState.decode(Self.set(["logical", "0/1000000", timeline]))
                    == SlotState(kind: "logical", restartLSN: position, restartTimeline: nil))
        }
    }

    @Test(
        "a slot that makes no sense is refused",
        arguments: [
            [], [[]], [["physical", "x", nil]], [["physical", nil]], [["physical", "0/1", "x"]],
            [["physical", "0/1", "-1"]], [["physical", "0/1", "4294967296"]],
            [["physical", "0/1", "1"], ["physical", "0/1", "1"]],
        ] as [[[String?]]])
    func hostileSlot(_ rows: [[String?]]) {
        let error = #expect(throws: ProtocolError.self) { try SlotState.decode(ResultSet(columns: [], rows: rows)) }
        #expect(error?.message.contains("READ_REPLICATION_SLOT") == true)
    }

    @Test("the next timeline has a number and the position where it begins")
    func nextTimeline() throws {
        let next = try NextTimeline(Self.set(["2", "0/D0AF210"]))
        #expect(next.timeline == TimelineID(rawValue: 2))
        #expect(next.position == LSN(rawValue: 0xD0A_F210))
        for rows in [[], [[]], [["2"]], [[nil, "0/1"]], [["2", nil]], [["0", "0/1"]], [["2", "x"]]] as [[[String?]]] {
            #expect(throws: ProtocolError.self) { try NextTimeline(ResultSet(columns: [], rows: rows)) }
        }
    }
}
