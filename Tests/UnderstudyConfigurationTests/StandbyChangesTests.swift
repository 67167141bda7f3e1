import Testing
import UnderstudyWAL

@testable import UnderstudyConfiguration

/// What is written into a directory that may have been configured before, by version.
struct StandbyChangesTests {
    private func changed(
        _ configuration: StandbyConfiguration, _ files: [String: String] = [:]
    ) -> [String: String] {
        var result = files
        for change in configuration.changes(to: files.mapValues { Array($0.utf8) }) {
            #expect(change.old.map { String(decoding: $0, as: UTF8.self) } == files[change.name])
            #expect(change.old != change.new)
            result[change.name] = change.new.map { String(decoding: $0, as: UTF8.self) }
        }
        // A second time there is nothing to do.
        #expect(configuration.changes(to: result.mapValues { Array($0.utf8) }) == [], "\(result)")
        return result
    }

    private func standby(_ version: Int) -> StandbyConfiguration {
        var configuration = StandbyConfiguration(serverVersion: version, primaryConnInfo: "host=a", slotName: "s1")
        configuration.hotStandby = version < 100_000
        configuration.resetsRecoveryTarget = false
        configuration.followsLatestTimeline = version < 120_000
        configuration.minApplyDelay = "1h"
        configuration.triggerFile = version < 160_000 ? "/t" : nil
        configuration.archiveCleanupCommand = "clean %r"
        return configuration
    }

    private static let marks = (
        "# What understudy has set, which its next run replaces:\n", "# The end of what understudy has set.\n"
    )

    @Test func `9.3 has recovery.conf, no slots, and a block in postgresql.conf`() {
        let files = changed(standby(90_300), ["postgresql.conf": "port = 1\nhot_standby = off # not here"])
        #expect(
            files == [
                "postgresql.conf":
                    "port = 1\nhot_standby = off # not here\n\(Self.marks.0)hot_standby = 'on'\n\(Self.marks.1)",
                "recovery.conf":
                    "\(Self.marks.0)standby_mode = 'on'\nprimary_conninfo = 'host=a'\nrecovery_target_timeline = 'latest'\narchive_cleanup_command = 'clean %r'\ntrigger_file = '/t'\n\(Self.marks.1)",
            ])
    }

    @Test(arguments: [90_400, 90_600, 110_000])
    func `up to 11 recovery.conf has the settings of recovery and auto.conf the others`(version: Int) {
        let files = changed(standby(version))
        #expect(files["postgresql.auto.conf"] == (version < 100_000 ? "hot_standby = 'on'\n" : nil))
        #expect(
            files["recovery.conf"]
                == "\(Self.marks.0)standby_mode = 'on'\nprimary_conninfo = 'host=a'\nprimary_slot_name = 's1'\nrecovery_target_timeline = 'latest'\narchive_cleanup_command = 'clean %r'\nrecovery_min_apply_delay = '1h'\ntrigger_file = '/t'\n\(Self.marks.1)"
        )
    }

    @Test(arguments: [120_000, 150_000, 160_000, 190_000])
    func `from 12 all are in auto.conf, and a file chooses the mode`(version: Int) {
        let files = changed(standby(version), ["postgresql.auto.conf": "primary_conninfo = 'host=old'\nwork_mem = 1\n"])
        let trigger = version < 160_000 ? "promote_trigger_file = '/t'\n" : ""
        #expect(
            files == [
                "postgresql.auto.conf":
                    "primary_conninfo = 'host=a'\nwork_mem = 1\nprimary_slot_name = 's1'\narchive_cleanup_command = 'clean %r'\nrecovery_min_apply_delay = '1h'\n\(trigger)",
                "standby.signal": "",
            ])
    }

    private func recovery(_ version: Int, _ place: RecoveryTarget.Place) -> StandbyConfiguration {
        var configuration = StandbyConfiguration(serverVersion: version, hotStandby: false)
        configuration.mode = .recovery
        configuration.resetsSlotName = false
        configuration.resetsRecoveryTarget = false
        configuration.followsLatestTimeline = false
        configuration.restoreCommand = "cp %f %p"
        configuration.recoveryTarget = RecoveryTarget(place, isInclusive: false, action: .promote)
        return configuration
    }

    @Test(arguments: [
        (90_300, "recovery_target_xid = '7'\nrecovery_target_inclusive = 'off'\npause_at_recovery_target = 'off'\n"),
        (90_500, "recovery_target_xid = '7'\nrecovery_target_inclusive = 'off'\nrecovery_target_action = 'promote'\n"),
        (180_000, "recovery_target_xid = '7'\nrecovery_target_inclusive = 'off'\nrecovery_target_action = 'promote'\n"),
    ])
    func `a target has the settings of its version, and a standby becomes a recovery`(version: Int, lines: String) {
        let earlier = "recovery_target_name = 'x'\nrecovery_target_action = 'pause'\n"
        let files = changed(
            recovery(version, .transaction(7)),
            version < 120_000
                ? ["recovery.conf": "# mine\nstandby_mode = on\n\(earlier)"]
                : ["standby.signal": "", "postgresql.auto.conf": earlier])
        if version < 120_000 {
            #expect(
                files["recovery.conf"] == "# mine\n\(Self.marks.0)restore_command = 'cp %f %p'\n\(lines)\(Self.marks.1)"
            )
        } else {
            let sorted = files["postgresql.auto.conf"]?.split(separator: "\n").map(String.init).sorted()
            #expect(
                sorted == ("restore_command = 'cp %f %p'\n" + lines).split(separator: "\n").map(String.init).sorted())
            #expect(files["recovery.signal"] == "" && files["standby.signal"] == nil)
        }
    }

    @Test(arguments: [
        (RecoveryTarget.Place.immediate, "recovery_target = 'immediate'"),
        (.time("2026-11-28 12:04:00+00"), "recovery_target_time = '2026-11-28 12:04:00+00'"),
        (.name("it's"), "recovery_target_name = 'it''s'"),
        (.lsn(LSN(rawValue: 0x3_0000_0148)), "recovery_target_lsn = '3/148'"),
    ])
    func `each kind of target has its setting`(place: RecoveryTarget.Place, line: String) {
        let text = changed(recovery(150_000, place))["postgresql.auto.conf"] ?? ""
        #expect(text.contains(line + "\n"))
    }

    @Test func `targets that are set elsewhere are taken back before the one that counts`() {
        var configuration = recovery(150_000, .name("b"))
        configuration.resetsRecoveryTarget = true
        let files = changed(
            configuration, ["postgresql.auto.conf": "recovery_target_name = 'b'\nwork_mem = 1\nhot_standby = on\n"])
        let names = files["postgresql.auto.conf"]?.split(separator: "\n").map { $0.prefix { $0 != " " } }
            .filter { CopiedSettings.recoveryTargets.contains(String($0)) }
        #expect(names?.count == 5 && names?.last == "recovery_target_name")
    }

    @Test func `without a target an earlier one goes if that is wanted, and stays if not`() {
        var configuration = standby(150_000)
        let earlier = ["postgresql.auto.conf": "recovery_target_xid = '7'\nrecovery_target_timeline = '3'\n"]
        #expect(changed(configuration, earlier)["postgresql.auto.conf"]?.contains("xid") == true)
        configuration.takesTargetOut = true
        #expect(changed(configuration, earlier)["postgresql.auto.conf"]?.contains("recovery_target") == false)
    }

    @Test func `current is the default before 12, and has no word`() {
        var configuration = recovery(110_000, .immediate)
        configuration.timeline = .current
        let old = changed(configuration, ["recovery.conf": "recovery_target_timeline = 'latest'\n"])
        #expect(old["recovery.conf"]?.contains("timeline") == false)
        configuration.serverVersion = 120_000
        #expect(
            changed(configuration)["postgresql.auto.conf"]?.contains("recovery_target_timeline = 'current'\n") == true)
        configuration.timeline = .number(TimelineID(rawValue: 31))
        #expect(changed(configuration)["postgresql.auto.conf"]?.contains("recovery_target_timeline = '31'\n") == true)
    }

    @Test func `settings are taken out by name, and a signal file keeps its content`() {
        var configuration = standby(150_000)
        configuration.removedSettings = ["Restore_Command"]
        let files = changed(
            configuration, ["postgresql.auto.conf": "restore_command = 'x'\n", "standby.signal": "# by hand\n"])
        #expect(files["postgresql.auto.conf"]?.contains("restore_command") == false)
        #expect(files["standby.signal"] == "# by hand\n")
    }

    @Test(arguments: ["recovery.conf", "postgresql.auto.conf"])
    func `a comment behind a setting that is replaced stays`(name: String) {
        let version = name == "recovery.conf" ? 110_000 : 150_000
        let text = changed(standby(version), [name: "primary_conninfo = 'host=old' # mine\nx.y = 1\n"])[name]
        #expect(text?.contains("primary_conninfo = 'host=a' # mine\n") == true, "\(text ?? "")")
        #expect(text?.contains("host=old") == false && text?.contains("x.y = 1\n") == true)
    }
}
