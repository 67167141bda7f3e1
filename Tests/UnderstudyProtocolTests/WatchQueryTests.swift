import Testing
import UnderstudyWAL

@testable import UnderstudyProtocol

@Suite("What is asked about a WAL sender and its slot")
struct WatchQueryTests {
    private static let xlog =
        "CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_xlog_receive_location() ELSE pg_catalog.pg_current_xlog_location() END"
    private static let wal =
        "CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn() ELSE pg_catalog.pg_current_wal_lsn() END"
    private static let sender = "(SELECT sync_state FROM pg_catalog.pg_stat_replication WHERE pid = 4711)"
    private static let waits =
        "pg_catalog.current_setting('synchronous_commit') = 'remote_apply' OR EXISTS (SELECT 1 FROM pg_catalog.pg_db_role_setting WHERE 'synchronous_commit=remote_apply' = ANY (setconfig))"
    private static let names = "pg_catalog.current_setting('synchronous_standby_names')"
    private static let slot = " FROM (SELECT 1) AS one LEFT JOIN pg_catalog.pg_replication_slots ON slot_name = 'arc'"

    @Test(
        "is told in the words of the version",
        arguments: [
            // 9.3 has no slots.
            (90326, "SELECT \(sender), \(xlog), NULL, NULL, NULL, NULL, NULL, NULL, \(names)"),
            (90426, "SELECT \(sender), \(xlog), slot_type, restart_lsn, NULL, NULL, NULL, NULL, \(names)\(slot)"),
            (90624, "SELECT \(sender), \(xlog), slot_type, restart_lsn, NULL, NULL, NULL, \(waits), \(names)\(slot)"),
            (100_023, "SELECT \(sender), \(wal), slot_type, restart_lsn, NULL, NULL, NULL, \(waits), \(names)\(slot)"),
            (120_022, "SELECT \(sender), \(wal), slot_type, restart_lsn, NULL, NULL, NULL, \(waits), \(names)\(slot)"),
            (
                130_018,
                "SELECT \(sender), \(wal), slot_type, restart_lsn, wal_status, safe_wal_size, NULL, \(waits), \(names)\(slot)"
            ),
            (
                160_015,
                "SELECT \(sender), \(wal), slot_type, restart_lsn, wal_status, safe_wal_size, NULL, \(waits), \(names)\(slot)"
            ),
            (
                170_000,
                "SELECT \(sender), \(wal), slot_type, restart_lsn, wal_status, safe_wal_size, invalidation_reason, \(waits), \(names)\(slot)"
            ),
            (
                180_004,
                "SELECT \(sender), \(wal), slot_type, restart_lsn, wal_status, safe_wal_size, invalidation_reason, \(waits), \(names)\(slot)"
            ),
        ])
    func whole(_ version: Int, _ text: String) {
        let query = WatchQuery(version: ServerVersion(number: version), senderPID: 4711, slot: "arc")
        #expect(query.text == text)
    }

    @Test("leaves out what there is none of", arguments: [90326, 90624, 100_023, 130_018, 180_004])
    func parts(_ version: Int) {
        let version = ServerVersion(number: version)
        let position = version.usesXlogName ? Self.xlog : Self.wal
        let waits = version.number < 90600 ? "NULL" : Self.waits
        #expect(
            WatchQuery(version: version).text
                == "SELECT NULL, \(position), NULL, NULL, NULL, NULL, NULL, \(waits), \(Self.names)")
        #expect(
            WatchQuery(version: version, senderPID: 4711).text
                == "SELECT \(Self.sender), \(position), NULL, NULL, NULL, NULL, NULL, \(waits), \(Self.names)")
        let slotOnly = WatchQuery(version: version, slot: "arc").text
        #expect(slotOnly.hasPrefix("SELECT NULL, \(position), "))
        #expect(slotOnly.hasSuffix(Self.slot) == version.hasSlots)
    }

    @Test(
        "quotes the name of the slot as a string",
        arguments: [("a'b", "'a''b'"), ("'", "''''"), ("''", "''''''"), ("\\'", "'\\'''"), ("", "''")])
    func quoting(_ name: String, _ literal: String) {
        let query = WatchQuery(version: ServerVersion(number: 180_000), slot: name)
        #expect(query.text.hasSuffix(" ON slot_name = \(literal)"))
    }

    // MARK: Answers

    private static func answer(_ row: [String?]) throws(ProtocolError) -> WatchQuery.Answer {
        try WatchQuery.Answer(ResultSet(columns: row.map { _ in "c" }, rows: [row]))
    }

    @Test("is answered by a row of everything")
    func everything() throws {
        let answer = try Self.answer([
            "quorum", "1/A0", "physical", "0/3000000", "extended", "-16777216", nil, "f", "*",
        ])
        #expect(answer.syncState == "quorum" && answer.serverPosition == LSN("1/A0"))
        #expect(answer.slot == SlotState(kind: "physical", restartLSN: LSN("0/3000000"), restartTimeline: nil))
        #expect(answer.walStatus == "extended" && answer.safeSize == -16_777_216)
    }

    @Test("may be answered by NULL for everything")
    func nothing() throws {
        let answer = try Self.answer([nil, nil, nil, nil, nil, nil, nil, nil, nil])
        #expect(answer.syncState == nil && answer.serverPosition == nil && answer.slot == nil)
        #expect(answer.walStatus == nil && answer.safeSize == nil && !answer.isSynchronous)
        // A slot that was never used; one that has lost its WAL.
        #expect(
            try Self.answer([nil, nil, "physical", nil, nil, nil, nil, nil, nil]).slot == SlotState(kind: "physical"))
        let lost = try Self.answer(["async", "0/1", "physical", nil, "lost", nil, nil, nil, nil])
        #expect(lost.slot == SlotState(kind: "physical") && lost.walStatus == "lost")
    }

    @Test(
        "tells an invalidated slot from every other",
        arguments: [
            ("reserved", nil, nil), ("extended", nil, nil), ("unreserved", nil, nil), (nil, nil, nil),
            ("lost", nil, SlotInvalidation()),
            ("lost", "wal_removed", SlotInvalidation(reason: "wal_removed")),
            ("lost", "idle_timeout", SlotInvalidation(reason: "idle_timeout")),
            // 16 and 17, while it is active and moves.
            ("unreserved", "wal_removed", SlotInvalidation(reason: "wal_removed")),
        ] as [(String?, String?, SlotInvalidation?)])
    func invalidation(_ status: String?, _ reason: String?, _ invalidation: SlotInvalidation?) throws {
        let answer = try Self.answer(["async", "0/1", "physical", "0/1", status, nil, reason, nil, nil])
        #expect(answer.invalidation == invalidation)
    }

    @Test("a number or position that is none is taken for unknown: it is only for the eye")
    func unknown() throws {
        let answer = try Self.answer(["x", "x", "physical", "x", "x", "x", nil, nil, nil])
        #expect(answer.serverPosition == nil && answer.safeSize == nil)
        #expect(answer.slot == SlotState(kind: "physical"))
    }

    @Test(
        "commits wait for the synchronous ones alone",
        arguments: [
            ("async", false), ("potential", false), ("sync", true), ("quorum", true), (nil, false), ("", false),
        ] as [(String?, Bool)])
    func synchronous(_ state: String?, _ isSynchronous: Bool) throws {
        #expect(try Self.answer([state, nil, nil, nil, nil, nil, nil, nil, nil]).isSynchronous == isSynchronous)
    }

    @Test("replay is waited for where the server says so", arguments: [("t", true), ("f", false), (nil, false)])
    func replay(_ waits: String?, _ isWaiting: Bool) throws {
        #expect(try Self.answer(["sync", nil, nil, nil, nil, nil, nil, waits, nil]).waitsForReplay == isWaiting)
    }

    @Test(
        "an answer without its one row of nine columns is refused",
        arguments: [
            [], [[]], [["sync", "0/1", nil, nil, nil, nil, nil, nil]],
            [[nil, nil, nil, nil, nil, nil, nil, nil, nil], [nil, nil, nil, nil, nil, nil, nil, nil, nil]],
        ] as [[[String?]]])
    func refused(_ rows: [[String?]]) {
        #expect(throws: ProtocolError.self) { try WatchQuery.Answer(ResultSet(columns: [], rows: rows)) }
    }
}
