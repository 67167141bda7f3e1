import Logging
import Testing
import UnderstudyCore
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

@Suite("What can be told of a slot")
struct SlotLookTests {
    enum Verdict: Sendable, Equatable {
        case absent, unknown, holds, unused, lost(String?), uncertain
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var versions: [Int]
        /// READ_REPLICATION_SLOT: nil for no slot; `.some(nil)` for one without a position.
        var read: String??
        var kind = "physical"
        /// pg_replication_slots: position, wal_status, invalidation_reason; nil where it cannot be asked.
        var sql: [String?]?
        var limit: String?
        var heldWAL = false
        var verdict: Verdict
    }

    private static let before15 = [130_018, 140_023], from15 = [150_018, 160_015, 170_011]
    private static let all = before15 + from15 + [180_006]

    static let cases = [
        Case(testDescription: "no slot", versions: from15 + [180_006], verdict: .absent),
        Case(
            testDescription: "held, by SQL", versions: all, read: "0/1", sql: ["0/1", "reserved", nil], verdict: .holds),
        Case(
            testDescription: "about to be lost", versions: all, read: "0/1", sql: ["0/1", "unreserved", nil],
            verdict: .holds),
        Case(
            testDescription: "never used, by SQL", versions: all, read: .some(nil), sql: [nil, nil, nil],
            verdict: .unused),
        Case(
            testDescription: "lost, by SQL", versions: all, read: .some(nil), sql: [nil, "lost", nil],
            verdict: .lost(nil)),
        Case(
            testDescription: "lost, with the server's word", versions: [170_011, 180_006], read: .some(nil),
            sql: [nil, "lost", "wal_removed"], verdict: .lost("wal_removed")),
        // Its position is only what was told it last.
        Case(
            testDescription: "lost, and moved since", versions: [160_015, 170_011], read: "0/1",
            sql: ["0/1", "lost", nil], verdict: .lost(nil)),
        Case(
            testDescription: "lost, moved, and active", versions: [170_011], read: "0/1",
            sql: ["0/1", "unreserved", "wal_removed"], verdict: .lost("wal_removed")),
        Case(
            testDescription: "idle for too long", versions: [180_006], read: "0/1",
            sql: ["0/1", "lost", "idle_timeout"], verdict: .lost("idle_timeout")),
        // Without SQL.
        Case(testDescription: "no position", versions: from15, read: .some(nil), verdict: .uncertain),
        Case(
            testDescription: "no position any more", versions: from15, read: .some(nil), heldWAL: true,
            verdict: .lost(nil)),
        // It is no slot for us, whatever it holds.
        Case(
            testDescription: "a logical slot", versions: from15 + [180_006], read: .some(nil), kind: "logical",
            verdict: .unused),
        Case(testDescription: "no position, in 18", versions: [180_006], read: .some(nil), verdict: .unused),
        Case(testDescription: "a position", versions: [150_018, 180_006], read: "0/1", limit: "2MB", verdict: .holds),
        Case(
            testDescription: "a position that may move on", versions: [160_015, 170_011], read: "0/1", limit: "2MB",
            verdict: .uncertain),
        Case(
            testDescription: "a position without a limit", versions: [160_015, 170_011], read: "0/1", limit: "-1",
            verdict: .holds),
        Case(testDescription: "nothing, with a limit", versions: before15, limit: "2MB", verdict: .uncertain),
        Case(testDescription: "nothing, without a limit", versions: before15, limit: "-1", verdict: .unknown),
        // Slots were not invalidated then.
        Case(testDescription: "nothing, before 13", versions: [90426, 120_022], verdict: .unknown),
        Case(
            testDescription: "by SQL, before 13", versions: [90426, 120_022], sql: [nil, nil, nil], verdict: .unused),
    ]

    @Test("is told by what the two connections say", arguments: cases)
    func verdict(_ test: Case) throws {
        for number in test.versions {
            let version = ServerVersion(number: number)
            var sources = SlotReading.Sources(version: version, sizeLimit: test.limit, heldWAL: test.heldWAL)
            if version.readsSlots, let position = test.read {
                sources.read = SlotState(kind: test.kind, restartLSN: position.flatMap { LSN($0) })
            }
            if let sql = test.sql {
                let row = ["async", "0/9", "physical", sql[0], sql[1], nil, sql[2], nil, nil]
                sources.answer = try WatchQuery.Answer(ResultSet(columns: [], rows: [row]))
            }
            let look = SlotReading(sources)
            #expect(Self.verdict(look) == test.verdict, "\(number)")
            if case .lost = test.verdict { #expect(look.state?.restartLSN == nil, "\(number)") }
        }
    }

    private static func verdict(_ look: SlotReading) -> Verdict {
        if let invalidation = look.invalidation { return .lost(invalidation.reason) }
        if look.isUncertain { return .uncertain }
        guard let state = look.state else { return look.isKnown ? .absent : .unknown }
        return state.restartLSN == nil ? .unused : .holds
    }

    @Test(
        "asks an ordinary connection only where the replication connection leaves it open",
        arguments: [
            (120_022, nil, true), (140_023, nil, true), (150_018, "0/1", false), (150_018, "", true),
            (160_015, "0/1", true), (170_011, "0/1", true), (180_006, "0/1", false), (180_006, "", true),
        ] as [(Int, String?, Bool)])
    func question(_ number: Int, _ read: String?, _ asks: Bool) {
        let state = read.map { SlotState(kind: "physical", restartLSN: LSN($0)) }
        #expect(SlotReading.needsAnswer(ServerVersion(number: number), read: state) == asks)
    }
}

@Suite("What nothing tells of a slot")
struct UncertainSlotTests {
    private struct Handler: LogHandler {
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info
        let log: Locked<[String]>
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            log.withLock { $0.append("\(event.message)\nhint: \(event.metadata?["hint"] ?? "")") }
        }
    }

    /// Says it twice.
    private func said(_ sources: SlotReading.Sources, recreates: Bool) -> [String] {
        let log = Locked<[String]>([])
        let logger = Logger(label: "test") { _ in Handler(log: log) }
        var tracker = SlotTracker()
        for _ in 1...2 { tracker.warnUncertain(SlotReading(sources), "arc", recreates: recreates, logger) }
        return log.withLock { $0 }
    }

    @Test("is why it is left as it is, which is said once", arguments: [130_018, 140_023])
    func leftAsItIs(_ number: Int) throws {
        let version = ServerVersion(number: number)
        for limit in ["-1", "2MB", nil] {
            let lines = said(.init(version: version, sizeLimit: limit), recreates: true)
            #expect(lines.count == 1)
            for words in [
                "a replication connection does not tell whether the server has invalidated replication slot \"arc\"",
                ": it is left as it is\n", "pg_hba.conf",
                "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'arc';",
                "SELECT pg_drop_replication_slot('arc'); SELECT pg_create_physical_replication_slot('arc', true);",
            ] { #expect(lines.first?.contains(words) == true, "\(words): \(lines)") }
            #expect(said(.init(version: version, sizeLimit: limit), recreates: false).count == (limit == "2MB" ? 1 : 0))
        }
        // Where SQL tells, there is nothing to say.
        let row = ["async", "0/9", "physical", "0/1", "reserved", nil, nil, nil, nil]
        let answer = try WatchQuery.Answer(ResultSet(columns: [], rows: [row]))
        #expect(said(.init(version: version, answer: answer), recreates: true) == [])
    }
}

@Suite("A slot in use")
struct SlotInUseTests {
    @Test("is not one to drop, and who uses it can be found", arguments: [90426, 90500, 180_006])
    func hint(_ number: Int) {
        let hint = SlotInUse.hint("arc", ServerVersion(number: number))
        #expect(!hint.contains("drop"))
        #expect(hint.contains("active_pid FROM pg_replication_slots WHERE slot_name = 'arc'") == (number >= 90500))
        #expect(hint.contains("stop the client that uses this one"))
    }
}

@Suite("An invalidated slot")
struct LostSlotTests {
    private func explain(_ held: WALPosition?, _ oldest: WALPosition?) -> UnderstudyError {
        InvalidatedSlot.explain(SlotInvalidation(reason: "wal_removed"), "arc", held, nil) { oldest }
    }

    @Test("is named with what is lost, and what goes on")
    func lost() {
        let error = explain(position(1, 0x312348), position(2, 0x700000))
        #expect(error.code == .slotInvalidated)
        #expect(error.message == "replication slot \"arc\" was invalidated by the server (wal_removed)")
        #expect(
            error.detail == "WAL from 0/312348 up to 0/700000 (timelines 1 to 2) is not in the archive, and lost to it."
        )
        #expect(error.remedy?.steps == [.recreateSlot("arc"), .startLSN(LSN(rawValue: 0x700000))])
        for words in [
            "SELECT pg_drop_replication_slot('arc');",
            "SELECT pg_create_physical_replication_slot('arc', true);", "take a new base backup",
        ] { #expect(error.hint?.contains(words) == true, "\(words)") }
    }

    @Test("may have lost nothing yet")
    func nothingYet() {
        let error = explain(position(1, 0x300000), position(1, 0x300000))
        #expect(error.detail?.hasSuffix("where the archive ends: nothing is lost so far.") == true)
        #expect(error.remedy?.steps == [.recreateSlot("arc")])
        let partial = explain(position(1, 0x312348), position(1, 0x300000))
        #expect(partial.detail?.contains("has all from 0/300000 (timeline 1) on") == true)
        let empty = explain(nil, nil)
        #expect(empty.detail?.contains("The archive is empty") == true)
        #expect(empty.remedy?.steps == [.recreateSlot("arc")])
    }

    @Test("may be one of a server that does not tell what it has")
    func untold() {
        let error = explain(position(1, 0x300000), nil)
        #expect(error.detail?.contains("up to a position that the server does not tell") == true)
        #expect(error.remedy?.steps == [.recreateSlot("arc")])
    }
}
