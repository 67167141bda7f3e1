import Testing
import UnderstudyCore
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

@testable import UnderstudyWALArchive

@Suite("Warnings about a slot")
struct SlotWarningTests {
    /// A look: wal_status, safe_wal_size, and how many warnings it leads to.
    typealias Look = (status: String?, safeSize: Int64?, warnings: Int)

    static let stories: [[Look]] = [
        [("reserved", nil, 0), ("extended", nil, 0), ("reserved", nil, 0), (nil, nil, 0)],
        // Once for each state, and again when it comes back.
        [("reserved", nil, 0), ("unreserved", nil, 1), ("unreserved", nil, 0), ("lost", nil, 1), ("lost", nil, 0)],
        [("unreserved", nil, 1), ("extended", nil, 0), ("unreserved", nil, 1)],
        [("lost", nil, 1)],
        // Each time that the room has become less than half of what it was.
        [("reserved", 1000, 0), ("reserved", 500, 0), ("reserved", 499, 1), ("reserved", 250, 0), (nil, 248, 1)],
        [("reserved", 10, 0), ("reserved", 1000, 0), ("reserved", 499, 1), ("reserved", 1000, 0), (nil, 400, 1)],
        // Negative beyond the limit, and getting more so: that has been said.
        [("reserved", 1000, 0), ("unreserved", -5, 2), ("unreserved", -5, 0), ("unreserved", -100, 0)],
        [("reserved", -5, 0), ("reserved", -100, 0)],
        // Without a limit there is nothing to say.
        [("reserved", 1000, 0), ("reserved", nil, 0), ("reserved", 100, 1)],
    ]

    @Test("come when it gets worse, and not twice", arguments: stories)
    func story(_ looks: [Look]) throws {
        var warnings = SlotWarnings()
        for look in looks {
            let answer = try answer(look.status, look.safeSize)
            #expect(warnings.note(answer, slot: "archive").count == look.warnings, "\(look) of \(looks)")
        }
    }

    @Test("say what is wrong, and what to do")
    func texts() throws {
        var warnings = SlotWarnings()
        _ = warnings.note(try answer("reserved", 1000), slot: "a")
        #expect(
            warnings.note(try answer("unreserved", -7), slot: "a") == [
                .init(
                    text: "replication slot \"a\" is about to lose WAL: its wal_status is unreserved",
                    hint: "Raise max_slot_wal_keep_size on the server, and see why the archive lags behind."),
                .init(
                    text: "replication slot \"a\" has room for 0 bytes of WAL until it loses some",
                    hint: "Raise max_slot_wal_keep_size on the server, and see why the archive lags behind."),
            ])
        #expect(
            warnings.note(try answer("lost", nil), slot: "a").map(\.text) == [
                "replication slot \"a\" has lost WAL that it should keep: its wal_status is lost"
            ])
    }

    private func answer(_ status: String?, _ safeSize: Int64?) throws -> WatchQuery.Answer {
        try WatchQuery.Answer(
            ResultSet(
                columns: [],
                rows: [
                    ["async", "0/5000000", "physical", "0/3000000", status, safeSize.map(String.init), nil, nil, nil]
                ])
        )
    }
}

@Suite("Warnings about a lag")
struct LagWarningTests {
    @Test("come when the limit is passed, and again after it was kept by a good margin")
    func limit() {
        var warning = LagWarning(limit: 1000)
        #expect(warning.note(1000) == nil)
        #expect(
            warning.note(1001)
                == "1001 bytes of WAL on the server are not acknowledged yet, more than the limit of 1000 bytes")
        for bytes: UInt64 in [5000, 1001, 501, 1001, 500] { #expect(warning.note(bytes) == nil) }
        #expect(warning.note(1001) != nil)
        #expect(warning.note(.max) == nil)
    }

    @Test("never come without a limit")
    func none() {
        var warning = LagWarning(limit: nil)
        #expect(warning.note(.max) == nil)
    }
}

@Suite("The start of a stream")
struct ArchiverStartTests {
    struct Case: Sendable {
        /// `--start-lsn`.
        var wanted: UInt64?
        /// Where the archive goes on.
        var next: WALPosition?
        /// Where the slot begins.
        var slot: (timeline: UInt32?, lsn: UInt64)?
        var start: WALPosition
    }

    /// The server is on timeline 3 at 0/A12345; timeline 1 ended at 0/380000, timeline 2 at 0/790000.
    static let cases = [
        // Nothing is known: where the server is.
        Case(start: position(3, 0xA00000)),
        // What is held comes first.
        Case(next: position(2, 0x600000), start: position(2, 0x600000)),
        Case(next: position(2, 0x600000), slot: (1, 0x212345), start: position(2, 0x600000)),
        Case(wanted: 0x212345, next: position(2, 0x600000), start: position(2, 0x600000)),
        Case(wanted: 0x312345, next: position(2, 0x300000), start: position(2, 0x300000)),
        // But a gap may be asked for.
        Case(wanted: 0x712345, next: position(2, 0x600000), start: position(2, 0x700000)),
        Case(wanted: 0x812345, next: position(2, 0x600000), slot: (2, 0x712345), start: position(3, 0x800000)),
        // Then what is asked for, on the timeline that was the server's at that segment's start.
        Case(wanted: 0x212345, start: position(1, 0x200000)),
        Case(wanted: 0x300000, start: position(1, 0x300000)),
        Case(wanted: 0x381111, slot: (3, 0x912345), start: position(1, 0x300000)),
        Case(wanted: 0x400000, start: position(2, 0x400000)),
        Case(wanted: 0xC00000, start: position(3, 0xC00000)),
        // Then the slot, whose timeline may be told.
        Case(slot: (2, 0x612345), start: position(2, 0x600000)),
        Case(slot: (3, 0x791234), start: position(3, 0x700000)),
        Case(slot: (nil, 0x212345), start: position(1, 0x200000)),
        Case(slot: (nil, 0x9FFFFF), start: position(3, 0x900000)),
    ]

    @Test("is a segment's start, by what is held, asked for, kept by the slot, or known", arguments: cases)
    func start(_ test: Case) throws {
        #expect(try choose(test, history: TestArchive.history([1: 0x380000, 2: 0x790000])) == test.start)
    }

    @Test("is on the server's timeline where that is all that is known")
    func withoutHistory() throws {
        let wanted = Case(wanted: 0x212345, start: position(3, 0x200000))
        #expect(try choose(wanted, history: nil) == wanted.start)
        let slot = Case(slot: (nil, 0x212345), start: position(3, 0x200000))
        #expect(try choose(slot, history: nil) == slot.start)
    }

    @Test("cannot be found by a history that makes no sense")
    func badHistory() {
        let error = #expect(throws: UnderstudyError.self) {
            try choose(Case(wanted: 0x212345, start: position(1, 0)), history: Array("x\n".utf8))
        }
        #expect(error?.code == .protocolViolation)
        #expect(error?.message == "invalid data in line 1 of history file \"00000003.history\"")
    }

    private func choose(_ test: Case, history: [UInt8]?) throws -> WALPosition {
        var options = WALArchiver.Options()
        options.startLSN = test.wanted.map { LSN(rawValue: $0) }
        let identity = try SystemIdentity(
            ResultSet(columns: [], rows: [[TestArchive.systemIdentifier, "3", "0/A12345"]]))
        let start = ArchiverStart(
            options: options, identity: identity, segmentSize: TestArchive.size, history: history)
        return try start.position(
            holdings: WALHoldings(next: test.next),
            restart: test.slot.map { slot in
                (slot.timeline.map { TimelineID(rawValue: $0) }, LSN(rawValue: slot.lsn))
            })
    }
}

@Suite("Another attempt")
struct RetryTests {
    @Test(
        "mends nothing that is wrong on this side, or lost for good",
        arguments: [.options, .passwordNeeded, .fileSystem, .target, .wal, .slotInvalidated, .cancelled]
            as [UnderstudyError.Code])
    func hopeless(_ code: UnderstudyError.Code) {
        #expect(Retry.isPermanent(UnderstudyError(code, "wrong")))
    }

    @Test(
        "may mend what the server or the way to it causes",
        arguments: [.connection, .server, .authentication, .slot, .protocolViolation, .noSpace]
            as [UnderstudyError.Code])
    func hopeful(_ code: UnderstudyError.Code) {
        #expect(!Retry.isPermanent(UnderstudyError(code, "wrong")))
    }

    @Test(
        "is worth it for a stream that has never worked where the server is not ready",
        arguments: [
            (.connection, nil, true), (.connection, "57P03", true), (.server, "53300", true), (.slot, "55006", true),
            (.server, "57P03", true), (.authentication, "28P01", false), (.slot, "42704", false), (.server, nil, false),
        ] as [(UnderstudyError.Code, String?, Bool)])
    func first(_ code: UnderstudyError.Code, _ sqlState: String?, _ mayPass: Bool) {
        #expect(Retry.mayPass(UnderstudyError(code, "not now", sqlState: sqlState)) == mayPass)
    }

    @Test("is worth it with a server that lags behind the archive, whatever its language")
    func behind() {
        let start = position(1, 0x400_0000)
        for message in [
            "requested starting point is ahead of the WAL flush position", "Startpunkt liegt zu weit vorne",
        ] {
            let refusal = UnderstudyError(.server, message, sqlState: "XX000")
            #expect(!Retry.mayPass(refusal))
            let behind = RefusedStart.explain(refusal, from: start, serverAt: LSN(rawValue: 0x300_0000))
            #expect(Retry.mayPass(behind) && behind.remedy?.steps == [.startLSN(nil)])
            #expect(behind.message == message)
            #expect(!Retry.mayPass(RefusedStart.explain(refusal, from: start, serverAt: LSN(rawValue: 0x500_0000))))
        }
        // Another error keeps what it says.
        let other = UnderstudyError(.server, "no", hint: "Wait.", sqlState: "58P01")
        #expect(RefusedStart.explain(other, from: start, serverAt: LSN(rawValue: 0)) == other)
    }

    @Test(
        "is announced in tenths of seconds",
        arguments: [
            (.zero, "0"), (.milliseconds(49), "0"), (.milliseconds(50), "0.1"), (.milliseconds(500), "0.5"),
            (.milliseconds(949), "0.9"), (.milliseconds(950), "1"), (.seconds(1), "1"), (.milliseconds(1249), "1.2"),
            (.milliseconds(1960), "2"), (.seconds(30), "30"), (.milliseconds(59_990), "60"), (.seconds(3600), "3600"),
        ] as [(Duration, String)])
    func seconds(_ duration: Duration, _ text: String) {
        #expect(duration.secondsText == text)
    }
}

@Suite("An error that occurs again and again")
struct RepeatedErrorTests {
    @Test("is told once, and then ever more seldom that it is still the same")
    func reminders() {
        var filter = RepeatedErrorFilter()
        let begin = ContinuousClock().now
        let error = UnderstudyError(.connection, "one"), other = UnderstudyError(.connection, "another")
        func telling(_ error: UnderstudyError, _ seconds: Int) -> RepeatedErrorFilter.Telling {
            filter.telling(error, now: begin + .seconds(seconds))
        }
        #expect(telling(error, 0) == .new)
        #expect(telling(error, 5) == .nothing && telling(error, 59) == .nothing)
        #expect(telling(error, 60) == .reminder(after: .seconds(60)))
        #expect(telling(error, 61) == .nothing && telling(error, 179) == .nothing)
        #expect(telling(error, 180) == .reminder(after: .seconds(180)))
        // Then after 4, 8, 16, 32 and 60 minutes, and each hour.
        let told = (0...40_000).filter { $0 > 180 && telling(error, $0) != .nothing }
        #expect(
            told == [
                420, 900, 1860, 3780, 7380, 10_980, 14_580, 18_180, 21_780, 25_380, 28_980, 32_580, 36_180, 39_780,
            ])
        #expect(telling(other, 40_001) == .new && telling(other, 40_060) == .nothing)
        #expect(telling(other, 40_061) == .reminder(after: .seconds(60)))
        filter.reset()
        #expect(telling(other, 40_062) == .new)
    }
}
