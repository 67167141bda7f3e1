import Testing
import UnderstudyWAL

@testable import UnderstudyProtocol

@Suite("What a check asks a server")
struct CheckSQLTests {
    private static let versions = [
        90326, 90426, 90525, 90624, 100_023, 110_022, 120_022, 130_018, 140_013, 150_018, 160_015, 170_005, 180_004,
        190_000,
    ]

    /// All that is asked of a server of this version, primary or standby.
    private static func texts(_ version: ServerVersion) -> [String] {
        var texts = [
            CheckSQL.situation(version).text, CheckSQL.senders(version, except: 1).text, CheckSQL.sizes(version).text,
            CheckSQL.tablespaces.text, CheckSQL.replay(version).text, CheckSQL.markers(version).text,
            CheckSQL.end(version).text, CheckSQL.sample(rows: 4).text, CheckSQL.commitMode(version, waits: false),
        ]
        if version.hasSlots { texts.append(CheckSQL.slots(version).text) }
        if version.hasReceiverView { texts.append(CheckSQL.receiver(version).text) }
        return texts
    }

    @Test("knows no name that the version does not", arguments: versions)
    func names(_ number: Int) {
        let version = ServerVersion(number: number)
        /// What came or went, and with which version.
        let names: [(name: String, from: Int, before: Int)] = [
            ("pg_current_wal_", 100_000, .max), ("pg_last_wal_", 100_000, .max), ("pg_wal_lsn_diff", 100_000, .max),
            ("replay_lsn", 100_000, .max), ("pg_is_wal_", 100_000, .max), ("xlog", 0, 100_000),
            ("_location,", 0, 100_000), ("_lag)", 100_000, .max), ("pg_read_all_stats", 100_000, .max),
            ("pg_hba_file_rules", 100_000, .max), ("pg_replication_slots", 90400, .max), ("active_pid", 90500, .max),
            ("pg_stat_wal_receiver", 90600, .max), ("written_lsn", 130_000, .max), ("sender_host", 110_000, .max),
            ("wal_status", 130_000, .max), ("invalidation_reason", 170_000, .max),
            ("pg_logical_emit_message", 90600, .max), ("text, boolean)", 170_000, .max),
            ("'pg_catalog.pg_create_restore_point(text)'", 90600, .max), ("remote_apply", 90600, .max),
        ]
        let all = Self.texts(version).joined(separator: "\n")
        for (name, from, before) in names {
            let isThere = all.contains(name)
            #expect(isThere == (from..<before).contains(number), "\(name) at \(number)")
        }
    }

    @Test("is the same for a sender, a slot and a receiver, to the letter")
    func letters() {
        #expect(
            CheckSQL.slots(ServerVersion(number: 90426)).text
                == "SELECT slot_name, slot_type, active, pg_catalog.pg_xlog_location_diff(CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_xlog_receive_location() ELSE pg_catalog.pg_current_xlog_location() END, restart_lsn), NULL, NULL FROM pg_catalog.pg_replication_slots ORDER BY slot_name"
        )
        #expect(
            CheckSQL.receiver(ServerVersion(number: 90624)).text
                == "SELECT status, NULL, received_tli, NULL, NULL, slot_name, EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - last_msg_receipt_time) FROM pg_catalog.pg_stat_wal_receiver WHERE pid IS NOT NULL"
        )
        #expect(CheckSQL.commitMode(ServerVersion(number: 180_004), waits: true) == "SET synchronous_commit = local")
    }

    // MARK: Answers

    private static func rows(_ rows: [[String?]]) -> ResultSet {
        ResultSet(columns: (rows.first ?? []).map { _ in "c" }, rows: rows)
    }

    @Test("what the server is, is answered in one row")
    func situation() throws {
        let query = CheckSQL.situation(ServerVersion(number: 180_004))
        let answer = try query.read(Self.rows([["t", "0/3000148", "1764371234.5", "mon", "f", "f", "t"]]))
        #expect(
            answer
                == CheckSQL.Situation(
                    isInRecovery: true, position: LSN("0/3000148"), startedAt: "1764371234.5", role: "mon",
                    mayReplicate: false, seesHostRules: true))
        // A superuser may replicate, whatever the role says.
        #expect(try query.read(Self.rows([["f", nil, "1", "a", "t", "f", "t"]])).mayReplicate)
        #expect(throws: ProtocolError.self) { try query.read(Self.rows([])) }
        #expect(throws: ProtocolError.self) { try query.read(Self.rows([["t"]])) }
    }

    @Test("a sender that is hidden, and one that is ahead of what was read before")
    func senders() throws {
        let query = CheckSQL.senders(ServerVersion(number: 180_004))
        let hidden: [String?] = ["7", "s"] + Array(repeating: nil, count: 12)
        let open: [String?] = [
            "8", "t", "10.0.0.2", "streaming", "sync", "0", "-16", "0", "1024", "0/5", "0.001", nil, "2.5", "slot",
        ]
        let senders = try query.read(Self.rows([hidden, open, ["short"]]))
        #expect(senders.count == 2)
        #expect(senders[0] == CheckSQL.Sender(processID: 7, applicationName: "s") && !senders[0].isStream)
        #expect(senders[1].written == 0 && senders[1].replayed == 1024 && senders[1].replayLag == 2.5)
        #expect(senders[1].replayedTo == LSN("0/5") && senders[1].slot == "slot" && senders[1].isStream)
    }

    @Test(
        "a time that is none, or none that can be, is bounded",
        arguments: [("-5", 0), ("1e300", 1e11), ("nan", nil), ("inf", nil), ("soon", nil), ("0.25", 0.25)]
            as [(String, Double?)])
    func seconds(_ text: String, _ seconds: Double?) throws {
        let row: [String?] = ["0/1", "0/1", "f", text]
        #expect(try CheckSQL.replay(ServerVersion(number: 180_004)).read(Self.rows([row])).age == seconds)
    }

    @Test("a system identifier is unsigned, however the server shows it")
    func control() throws {
        let read = CheckSQL.control.read
        #expect(try read(Self.rows([["7711123260964962612", "3"]])).system == "7711123260964962612")
        #expect(try read(Self.rows([["-1", nil]])).system == "18446744073709551615")
        #expect(throws: ProtocolError.self) { _ = try read(Self.rows([[nil, "1"]])) }
    }

    @Test("no row is no receiver, and a row without a state one that the role may not see")
    func receiver() throws {
        let query = CheckSQL.receiver(ServerVersion(number: 180_004))
        #expect(try query.read(Self.rows([])) == nil)
        #expect(try query.read(Self.rows([Array(repeating: nil, count: 7)])) == CheckSQL.Receiver())
        let seen = try query.read(Self.rows([["streaming", "0/10", "2", "10.0.0.1", "5432", "s1", "0.5"]]))
        #expect(seen?.timeline == 2 && seen?.written == LSN("0/10") && seen?.slot == "s1" && seen?.silence == 0.5)
    }

    @Test(
        "the best marker that the role may use is taken",
        arguments: [
            ("t", "t", CheckSQL.Marker.message), ("f", "t", .restorePoint), ("f", "f", .transaction),
            (nil, nil, .transaction),
        ] as [(String?, String?, CheckSQL.Marker)])
    func markers(_ message: String?, _ point: String?, _ best: CheckSQL.Marker) throws {
        let answer = try CheckSQL.markers(ServerVersion(number: 150_018)).read(Self.rows([[message, point]]))
        #expect(answer.first == best && answer.last == .transaction)
    }
}
