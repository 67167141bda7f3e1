import Testing
import UnderstudyConfiguration
import UnderstudyProtocol
import UnderstudyWAL

@testable import UnderstudyCore
@testable import UnderstudyStandby

/// What is said of a server that told this or that: versions that cannot be installed, too.
@Suite struct CheckRuleTests {
    private static let versions = [90326, 90426, 90525, 90624, 100_023, 120_022, 130_018, 180_004, 190_000]

    /// A primary with which all is well, as a superuser sees it.
    private static func primary(_ number: Int = 180_004, _ more: [String: String] = [:]) -> ServerReading {
        var reading = ServerReading(.primary, place: "\"p\", port 1", version: ServerVersion(number: number))
        reading.system = "1"
        reading.timeline = 1
        reading.situation = CheckSQL.Situation(
            isInRecovery: false, position: LSN("0/5000000"), startedAt: "1", role: "r")
        var settings = [
            "wal_level": number < 90600 ? "hot_standby" : "replica", "max_wal_senders": "10", "archive_mode": "off",
            "data_checksums": "on", "full_page_writes": "on", "synchronous_standby_names": "",
            number < 130_000 ? "wal_keep_segments" : "wal_keep_size": number < 130_000 ? "64" : "1GB",
        ]
        if number >= 90400 { settings["max_replication_slots"] = "10" }
        settings.merge(more) { $1 }
        reading.settings = ServerSettings(settings.mapValues { CheckSQL.Setting($0) })
        reading.senders = []
        reading.tablespaces = []
        reading.sizes = CheckSQL.Sizes(bytes: 1 << 30)
        reading.rate = 100e6
        if number >= 90400 {
            reading.slots = []
            reading.archiver = CheckSQL.ArchiverState(isFailing: false)
        }
        return reading
    }

    private static func findings(_ reading: ServerReading) -> [ReplicationCheck.Finding] {
        reading.primaryFindings(ReplicationCheck.Options())
    }

    private func expect(
        _ findings: [ReplicationCheck.Finding], _ name: String, _ level: ReplicationCheck.Level, _ found: String = "",
        cure: String = "", sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let finding = try #require(findings.first { $0.name == name }, "\(findings)", sourceLocation: sourceLocation)
        #expect(finding.level == level, "\(finding)", sourceLocation: sourceLocation)
        #expect(finding.found.contains(found), "\(finding)", sourceLocation: sourceLocation)
        let said = finding.cure?.description ?? ""
        #expect(said.contains(cure), "\(finding)", sourceLocation: sourceLocation)
        // What is wrong says why; what to do about it may not always be known.
        #expect((finding.message == nil) == (level == .ok), "\(finding)", sourceLocation: sourceLocation)
    }

    @Test func `numbers that no server has stop nothing`() {
        for number in ["9223372036854775807", "-9223372036854775808", "2147483647", "-1", "x"] {
            var reading = Self.primary(180_004, ["max_wal_senders": number, "max_replication_slots": number])
            reading.senders = [CheckSQL.Sender(processID: 1, applicationName: "s", state: "streaming")]
            reading.senders?[0].replayLag = 1e300
            (reading.sizes, reading.rate) = (CheckSQL.Sizes(bytes: .max), 0.001)
            #expect(!Self.findings(reading).isEmpty)
        }
    }

    // MARK: - A primary

    @Test(arguments: versions)
    func `a primary that has all is well on every version`(number: Int) {
        var reading = Self.primary(number)
        if number >= 100_000 { reading.hostRules = CheckSQL.HostRules(replicationLines: 1) }
        let bad = Self.findings(reading).filter { $0.level != .ok }
        #expect(bad == [])
    }

    @Test(arguments: [
        (90326, "Set wal_level = hot_standby in postgresql.conf on the primary"),
        (90525, "ALTER SYSTEM SET wal_level = hot_standby;"), (100_023, "ALTER SYSTEM SET wal_level = replica;"),
    ])
    func `a wal_level that is too low says what clone says`(number: Int, cure: String) throws {
        let findings = Self.findings(Self.primary(number, ["wal_level": "minimal"]))
        try expect(findings, "wal_level", .error, "minimal", cure: cure)
        let said = Preflight.walLevel("minimal", serverVersion: number).first
        #expect(findings.first { $0.name == "wal_level" }?.message == said?.message)
    }

    @Test func `senders that are left are what a clone needs, or only a warning where a standby streams`() throws {
        var reading = Self.primary(180_004, ["max_wal_senders": "2"])
        try expect(Self.findings(reading), "max_wal_senders", .ok, "2 of 2 left")
        reading.senders = [CheckSQL.Sender(processID: 1, applicationName: "b", state: "backup")]
        try expect(Self.findings(reading), "max_wal_senders", .error, "1 of 2 left", cure: "max_wal_senders = 12")
        reading.senders?.append(CheckSQL.Sender(processID: 2, applicationName: "s", state: "streaming"))
        try expect(Self.findings(reading), "max_wal_senders", .warning, "0 of 2 left", cure: "max_wal_senders = 12")
    }

    @Test func `slots hold WAL back for somebody, for nobody, or not at all`() throws {
        var reading = Self.primary(180_004, ["max_replication_slots": "3", "max_slot_wal_keep_size": "10GB"])
        reading.slots = [
            CheckSQL.Slot("a", isActive: true, held: 5), CheckSQL.Slot("b", isActive: false, held: 3 << 30),
            CheckSQL.Slot("c", isActive: false, walStatus: "lost", invalidationReason: "wal_removed"),
            CheckSQL.Slot("d", isActive: false),
        ]
        let slots = Self.findings(reading).filter { $0.name == "slot" }
        #expect(slots.map(\.object) == ["a", "b", "c"] && slots.map(\.level) == [.ok, .warning, .warning])
        #expect(slots[1].bytes == 3 << 30 && slots[1].found == "inactive, holds 3.0 GB back")
        #expect(slots[1].message?.contains("max_slot_wal_keep_size, 10GB") == true)
        #expect(slots[1].cure?.description.contains("pg_drop_replication_slot('b');") == true)
        #expect(slots[2].message?.contains(SlotFlaw.lost) == true)
        try expect(Self.findings(reading), "max_replication_slots", .warning, "0 of 3", cure: "max_replication_slots")
    }

    @Test func `an archive that fails, that has no command, and of which an old server does not tell`() throws {
        var reading = Self.primary(180_004, ["archive_mode": "on", "archive_command": "cp"])
        reading.archiver = CheckSQL.ArchiverState(archivedCount: 4, failedCount: 2, isFailing: false)
        try expect(Self.findings(reading), "archiver", .ok, "4 archived, 2 failed")
        reading.archiver = CheckSQL.ArchiverState(failedCount: 3, lastFailedWAL: "0001", isFailing: true)
        try expect(Self.findings(reading), "archiver", .error, "0001", cure: "log")
        for command in ["", "(disabled)"] {
            let bare = Self.primary(180_004, ["archive_mode": "on", "archive_command": command, "archive_library": ""])
            try expect(Self.findings(bare), "archive_mode", .warning, "without", cure: "archive_command = '...'")
        }
        let library = Self.primary(180_004, ["archive_mode": "on", "archive_command": "", "archive_library": "x"])
        try expect(Self.findings(library), "archive_mode", .ok, "on")
        let old = Self.primary(90326, ["archive_mode": "on", "archive_command": "cp"])
        try expect(Self.findings(old), "archiver", .unknown, cure: "pg_xlog/archive_status")
    }

    @Test func `what keeps WAL for a standby that is away`() throws {
        var reading = Self.primary(180_004, ["wal_keep_size": "0"])
        try expect(Self.findings(reading), "wal_keep_size", .ok, "slots alone")
        reading.senders = [CheckSQL.Sender(processID: 1, applicationName: "s", state: "streaming")]
        try expect(Self.findings(reading), "wal_keep_size", .warning, cure: "ALTER SYSTEM SET wal_keep_size = '1GB'")
        reading.senders?[0].slot = "slot"
        try expect(Self.findings(reading), "wal_keep_size", .ok)
        let old = Self.primary(90326, ["wal_keep_segments": "0"])
        try expect(
            Self.findings(old), "wal_keep_segments", .warning, cure: "Set wal_keep_segments = 64 in postgresql.conf")
    }

    @Test func `pages that may be torn or damaged are warnings`() throws {
        let findings = Self.findings(Self.primary(180_004, ["data_checksums": "off", "full_page_writes": "off"]))
        try expect(findings, "data_checksums", .warning, "off", cure: "pg_checksums -e")
        try expect(findings, "full_page_writes", .warning, "off", cure: "ALTER SYSTEM SET full_page_writes = on;")
        try expect(
            Self.findings(Self.primary(110_022, ["data_checksums": "off"])), "data_checksums", .warning, cure: "initdb")
    }

    @Test(
        arguments: [
            ("", "on", [], .ok), ("a", "on", [("a", "streaming", "sync")], .ok), ("a", "on", [], .error),
            ("a", "local", [], .warning), ("2 (a, b)", "on", [("a", "streaming", "sync")], .error),
            ("ANY 1 (a, b)", "on", [("b", "streaming", "quorum")], .ok),
            ("a", "on", [("b", "streaming", "async")], .error),
            // Hidden: of the names, it may serve or not; without one it cannot.
            ("a", "on", [("a", nil, nil)], .unknown), ("a", "on", [("b", nil, nil)], .error),
        ] as [(String, String, [(String, String?, String?)], ReplicationCheck.Level)])
    func `commits that wait for nobody`(
        names: String, commit: String, senders: [(String, String?, String?)], level: ReplicationCheck.Level
    ) throws {
        var reading = Self.primary(
            180_004, ["synchronous_standby_names": names, "synchronous_commit": commit])
        reading.senders = senders.map {
            CheckSQL.Sender(processID: 1, applicationName: $0.0, state: $0.1, syncState: $0.2)
        }
        try expect(Self.findings(reading), "synchronous_standby_names", level)
    }

    @Test func `a standby's lag is a warning from a limit on`() throws {
        var reading = Self.primary()
        var sender = CheckSQL.Sender(processID: 1, applicationName: "s", state: "streaming", syncState: "async")
        (sender.address, sender.replayed, sender.replayLag) = ("10.0.0.2", 1 << 20, 0.0123)
        reading.senders = [sender]
        try expect(Self.findings(reading), "standby", .ok, "streaming, async, 1.0 MB to replay, 0.012 s behind")
        reading.senders?[0].replayed = 1 << 30
        try expect(Self.findings(reading), "standby", .warning, "1.0 GB")
        reading.senders?[0].replayed = 0
        reading.senders?[0].replayLag = 90
        try expect(Self.findings(reading), "standby", .warning, "90 s")
        reading.senders?[0].replayLag = nil
        reading.senders?[0].state = "catchup"
        try expect(Self.findings(reading), "standby", .warning, "catchup")
        // An archiver replays nothing.
        reading.senders?[0].state = "streaming"
        reading.senders?[0].replayed = nil
        reading.senders?[0].flushed = 7
        try expect(Self.findings(reading), "standby", .ok, "7 bytes to flush")
    }

    @Test func `what the role may not see is unknown, with what to grant`() throws {
        var reading = Self.primary()
        reading.situation?.role = "Mon"
        reading.senders = [CheckSQL.Sender(processID: 1, applicationName: "s")]
        reading.sizes = CheckSQL.Sizes(bytes: 5, unmeasured: 2)
        let findings = Self.findings(reading)
        try expect(findings, "standby", .unknown, cure: "GRANT pg_monitor TO \"Mon\";")
        try expect(findings, "size", .unknown, "more than", cure: "GRANT pg_monitor TO \"Mon\";")
        try expect(findings, "pg_hba", .unknown, cure: "GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO \"Mon\";")
        var old = Self.primary(90624)
        old.senders = [CheckSQL.Sender(processID: 1, applicationName: "s")]
        try expect(Self.findings(old), "standby", .unknown, cure: "superuser")
    }

    @Test func `without SQL, what needs it is not called ok`() throws {
        var reading = ServerReading(.primary, place: "", version: ServerVersion(number: 180_004))
        reading.settings = ServerSettings(["wal_level": CheckSQL.Setting("replica")])
        reading.refusal = UnderstudyError(.authentication, "no", hint: "Put the line.")
        let findings = Self.findings(reading)
        try expect(findings, "sql", .unknown, cure: "Put the line.")
        try expect(findings, "recovery", .unknown)
        try expect(findings, "wal_level", .ok)
        #expect(!findings.contains { ["size", "standby", "archiver", "data_checksums"].contains($0.name) })
    }

    @Test func `a role that may not replicate, a login that is refused, and lines that cannot be read`() throws {
        var reading = Self.primary()
        reading.situation?.mayReplicate = false
        try expect(Self.findings(reading), "role", .error, cure: "ALTER ROLE r WITH REPLICATION;")
        try expect(Self.findings(reading), "replication_connection", .unknown)
        reading.situation?.mayReplicate = true
        reading.replicationRefusal = UnderstudyError(.authentication, "no line", hint: "Put the line.")
        try expect(Self.findings(reading), "replication_connection", .error, cure: "Put the line.")
        reading.hostRules = CheckSQL.HostRules(errors: [("7", "invalid")], replicationLines: 1)
        try expect(Self.findings(reading), "pg_hba", .error, cure: "pg_reload_conf")
        reading.hostRules = CheckSQL.HostRules(replicationLines: 0)
        try expect(Self.findings(reading), "pg_hba", .warning, "0 lines", cure: "host  replication  r")
    }

    @Test func `a standby that was given as primary names its own`() throws {
        var reading = Self.primary()
        reading.situation?.isInRecovery = true
        reading.receiver = CheckSQL.Receiver(status: "streaming")
        reading.receiver?.host = "10.0.0.1"
        reading.receiver?.port = "5433"
        let findings = Self.findings(reading)
        #expect(findings.count == 1)
        try expect(findings, "recovery", .error, cure: "\"10.0.0.1\", port 5433")
    }
}
