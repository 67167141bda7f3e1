import Testing
import UnderstudyProtocol
import UnderstudyWAL

@testable import UnderstudyConfiguration
@testable import UnderstudyCore
@testable import UnderstudyStandby

/// What is said of a standby, alone and with its primary.
@Suite struct StandbyRuleTests {
    private static let options = ReplicationCheck.Options()

    private static func server(
        _ role: ReplicationCheck.Role, _ number: Int = 180_004, recovers: Bool? = nil, timeline: TimelineID = 1
    ) -> ServerReading {
        var reading = ServerReading(role, place: "\"\(role)\", port 1", version: ServerVersion(number: number))
        (reading.system, reading.timeline) = ("1", timeline)
        reading.situation = CheckSQL.Situation(
            isInRecovery: recovers ?? (role == .standby), position: LSN("0/5000000"), startedAt: role.rawValue,
            role: "r")
        var settings: [String: CheckSQL.Setting] = [:]
        for (name, value) in StandbyLimits.defaults(number) { settings[name] = CheckSQL.Setting("\(value)") }
        reading.settings = ServerSettings(settings)
        reading.senders = [CheckSQL.Sender(processID: 1, applicationName: "s", state: "streaming")]
        guard role == .standby else { return reading }
        reading.replay = CheckSQL.Replay(received: LSN("0/5000000"), replayed: LSN("0/5000000"), age: 1000)
        if number >= 90600 {
            reading.hasReceiver = true
            reading.receiver = CheckSQL.Receiver(status: "streaming")
        }
        return reading
    }

    private func names(
        _ findings: [ReplicationCheck.Finding], _ level: ReplicationCheck.Level
    ) -> [String] {
        findings.filter { $0.level == level }.map(\.name)
    }

    @Test(arguments: [90326, 90624, 100_023, 120_022, 180_004, 190_000])
    func `a standby that has all is well on every version`(number: Int) {
        let findings = Self.server(.standby, number).standbyFindings(
            primary: Self.server(.primary, number), position: LSN("0/5000000"), Self.options)
        #expect(names(findings, .unknown) == (number < 90600 ? ["wal_receiver"] : []))
        #expect(names(findings, .warning) + names(findings, .error) == [])
        let limits = StandbyLimits.defaults(number).map(\.name)
        #expect(findings.filter { limits.contains($0.name) }.map(\.name) == limits)
        #expect(findings.suffix(3).map(\.name) == ["receive_lag", "flush_lag", "replay_lag"])
        // Commits of long ago are no lag where all is replayed.
        #expect(findings.last?.bytes == 0 && findings.last?.seconds == 0)
    }

    @Test func `a setting that is lower than on the primary says what clone says`() throws {
        var primary = Self.server(.primary)
        primary.settings = ServerSettings([
            "max_connections": CheckSQL.Setting("200"), "max_wal_senders": CheckSQL.Setting("3"),
        ])
        let findings = Self.server(.standby).standbyFindings(primary: primary, position: nil, Self.options)
        #expect(names(findings, .error) == ["max_connections"])
        let finding = try #require(findings.first { $0.name == "max_connections" })
        #expect(finding.found == "100" && finding.wanted == "200 or more, as on the primary")
        #expect(
            finding.message
                == StandbyLimits.Shortfall(name: "max_connections", needed: 200, found: 100).message())
        #expect(finding.cure?.description == "On the standby: ALTER SYSTEM SET max_connections = 200; then restart it")
        // What one of them may not show is not called ok.
        #expect(names(findings, .unknown).contains("max_worker_processes"))
    }

    @Test func `lags are what is not received, flushed and replayed, by the sender of this standby`() throws {
        var standby = Self.server(.standby), primary = Self.server(.primary)
        standby.replay = CheckSQL.Replay(received: LSN("0/4000000"), replayed: LSN("0/1000000"), age: 7)
        standby.receiver?.written = LSN("0/4800000")
        var sender = CheckSQL.Sender(processID: 1, applicationName: "s", state: "streaming")
        (sender.writeLag, sender.slot) = (0.5, "s1")
        primary.senders = [sender, CheckSQL.Sender(processID: 2, applicationName: "t", state: "streaming")]
        standby.receiver?.slot = "s1"
        var options = Self.options
        options.mostLagBytes = 32 << 20
        let findings = standby.standbyFindings(primary: primary, position: LSN("0/5000000"), options).suffix(3)
        #expect(findings.map(\.bytes) == [8 << 20, 16 << 20, 64 << 20])
        #expect(findings.map(\.seconds) == [0.5, nil, 7] && findings.map(\.level) == [.ok, .ok, .warning])
        // Alone, it knows what it has not replayed.
        let alone = standby.standbyFindings(primary: nil, position: nil, options)
        #expect(alone.last?.name == "replay_lag" && alone.last?.bytes == 48 << 20 && alone.last?.seconds == 7)
        #expect(!alone.contains { $0.name == "receive_lag" })
    }

    @Test func `a receiver that does not run, does not stream, or may not be seen`() {
        var standby = Self.server(.standby)
        standby.receiver = CheckSQL.Receiver(status: "waiting")
        #expect(names(standby.standbyFindings(primary: nil, position: nil, Self.options), .error) == ["wal_receiver"])
        standby.receiver = CheckSQL.Receiver()
        let hidden = standby.standbyFindings(primary: nil, position: nil, Self.options)
        #expect(names(hidden, .unknown) == ["wal_receiver"])
        #expect(hidden.first { $0.level == .unknown }?.cure?.description.contains("GRANT pg_monitor TO r;") == true)
        standby.receiver = CheckSQL.Receiver(status: "streaming")
        standby.receiver?.silence = 75
        #expect(names(standby.standbyFindings(primary: nil, position: nil, Self.options), .warning) == ["wal_receiver"])
        (standby.receiver, standby.hasReceiver) = (nil, false)
        #expect(names(standby.standbyFindings(primary: nil, position: nil, Self.options), .error) == ["wal_receiver"])
    }

    @Test(arguments: [(90624, "pg_xlog_replay_resume()"), (100_023, "pg_wal_replay_resume()")])
    func `a replay that is paused says how to resume it`(number: Int, function: String) {
        var standby = Self.server(.standby, number)
        standby.replay?.isPaused = true
        let finding = standby.standbyFindings(primary: nil, position: nil, Self.options).first { $0.name == "replay" }
        #expect(finding?.level == .warning && finding?.cure?.description.contains(function) == true)
    }

    // MARK: - Both

    @Test func `an old primary is no standby, and on the older timeline`() {
        let old = Self.server(.standby, recovers: false), new = Self.server(.primary, timeline: 2)
        let findings = old.standbyFindings(primary: new, position: nil, Self.options)
        #expect(findings.count == 1 && findings[0].level == .error)
        #expect(
            findings[0].message?.contains("is no standby: it is not in recovery, and on the older timeline 1") == true)
        #expect(findings[0].cure?.steps == [.updateExisting])
        // Alone, it is no standby all the same.
        #expect(names(old.standbyFindings(primary: nil, position: nil, Self.options), .error) == ["recovery"])
        // And given the other way round, it is the primary that is old.
        let other = Self.server(.standby, recovers: false, timeline: 2).standbyFindings(
            primary: Self.server(.primary), position: nil, Self.options)
        #expect(other[0].cure?.description.contains("that was given as primary is the old one") == true)
    }

    @Test func `one server, two clusters, and the other way round`() {
        let primary = Self.server(.primary), standby = Self.server(.standby)
        let well = PairRules(primary: primary, standby: standby)
        #expect(!well.isOneServer && well.isOneCluster && well.findings.allSatisfy { $0.level == .ok })
        var twice = standby
        twice.situation = primary.situation
        #expect(PairRules(primary: primary, standby: twice).isOneServer)
        var other = standby
        other.system = "2"
        let different = PairRules(primary: primary, standby: other)
        #expect(!different.isOneCluster && names(different.findings, .error) == ["system_identifier"])
        other.system = nil
        #expect(names(PairRules(primary: primary, standby: other).findings, .unknown) == ["system_identifier"])
        let swapped = PairRules(
            primary: Self.server(.primary, recovers: true), standby: Self.server(.standby, recovers: false))
        #expect(names(swapped.findings, .error) == ["servers"])
        var newer = standby
        newer.version = ServerVersion(number: 190_000)
        #expect(names(PairRules(primary: primary, standby: newer).findings, .error) == ["server_version"])
    }

    @Test func `a standby that follows another server of the cluster is told apart`() {
        let primary = Self.server(.primary), standby = Self.server(.standby)
        for position in ["written", "received", "replayed"] {
            var ahead = standby
            switch position {
            case "written": ahead.receiver?.written = LSN("0/5000001")
            case "received": ahead.replay?.received = LSN("0/5000001")
            default: ahead.replay?.replayed = LSN("0/5000001")
            }
            let rules = PairRules(primary: primary, standby: ahead)
            #expect(!rules.isOneCluster && names(rules.findings, .error) == ["source"], "\(position)")
        }
        var alone = primary
        alone.senders = []
        #expect(names(PairRules(primary: alone, standby: standby).findings, .error) == ["source"])
        // A role that may not see it, and a standby that takes WAL from an archive.
        alone.senders = nil
        var archived = standby
        (archived.hasReceiver, archived.receiver) = (false, nil)
        for pair in [(alone, standby), (primary, archived)] {
            #expect(PairRules(primary: pair.0, standby: pair.1).findings.allSatisfy { $0.level == .ok })
        }
        var elsewhere = standby, known = primary
        elsewhere.receiver?.host = "h"
        elsewhere.receiver?.port = "2"
        known.port = "1"
        #expect(names(PairRules(primary: known, standby: elsewhere).findings, .warning) == ["source"])
        known.settings = ServerSettings(["port": CheckSQL.Setting("2")])
        #expect(names(PairRules(primary: known, standby: elsewhere).findings, .warning) == [])
    }

    @Test(arguments: [(1, 2, "has not followed"), (2, 1, "old primary")] as [(UInt32, UInt32, String)])
    func `a standby on another timeline`(standby: UInt32, primary: UInt32, text: String) {
        let rules = PairRules(
            primary: Self.server(.primary, timeline: TimelineID(rawValue: primary)),
            standby: Self.server(.standby, timeline: TimelineID(rawValue: standby)))
        let finding = rules.findings.first { $0.name == "timeline" }
        #expect(finding?.level == .error && finding?.message?.contains(text) == true)
    }

    @Test func `a report is as bad as its worst finding`() {
        func report(_ levels: ReplicationCheck.Level...) -> ReplicationCheck.Report {
            ReplicationCheck.Report(findings: levels.map { ReplicationCheck.Finding(.primary, "x", $0, found: "") })
        }
        #expect(report().level == .ok && report(.ok, .unknown).level == .unknown)
        #expect(report(.warning, .unknown).isWell() && !report(.warning).isWell(strict: true))
        #expect(!report(.ok, .unknown).isWell(strict: true) && !report(.error, .ok).isWell())
    }
}
