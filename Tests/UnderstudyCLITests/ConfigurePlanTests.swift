import Testing
import Understudy

@testable import UnderstudyCLI

/// The command line of configure.
struct ConfigurePlanTests {
    private func plan(_ line: String, environment: [String: String] = [:]) throws -> ConfigurePlan {
        let words = line.split(separator: " ").map { String($0).replacing("_", with: " ") }
        guard case .run(let plan) = try ConfigurePlan.read(words, environment: { environment[$0] }) else {
            throw UsageError("not a run")
        }
        return plan
    }

    @Test func `each option arrives in the library's options`() throws {
        let plan = try plan(
            """
            -D d --mode standby --config-file c -d host=a -h b -p 1 -U r -S s --passfile pf --restore-command=cp \
            --archive-cleanup-command=clean --recovery-end-command=end --recovery-target-time=2026-11-28_12:04 \
            --recovery-target-inclusive=off --recovery-target-action=shutdown --recovery-target-timeline=31 \
            --recovery-min-apply-delay=1h --trigger-file=/t --standby-port 5433 --set a=b=c --set d= --reset e --reset f \
            --dry-run -v
            """, environment: ["PGPASSWORD": "secret"])
        var options = StandbyDirectory.Options()
        options.mode = .standby
        options.configFile = "c"
        options.slotName = "s"
        options.password = "secret"
        options.passwordPlace = .file("pf")
        options.restoreCommand = "cp"
        options.archiveCleanupCommand = "clean"
        options.recoveryEndCommand = "end"
        options.recoveryTarget = RecoveryTarget(.time("2026-11-28 12:04"), isInclusive: false, action: .shutdown)
        options.timeline = .number(TimelineID(rawValue: 31))
        options.minApplyDelay = "1h"
        options.triggerFile = "/t"
        options.port = 5433
        options.settings = [.init("a", "b=c"), .init("d", "")]
        options.removedSettings = ["e", "f"]
        #expect(plan.options == options)
        #expect(plan.directory == "d" && plan.isDryRun && plan.verbose)
        #expect(plan.connection?.source.text == "host=a")
        #expect(plan.connection?.source.overrides["host"] == "b" && plan.connection?.password == .onDemand)
    }

    @Test func `without options nothing is set`() throws {
        let plan = try plan("-D d", environment: ["PGPASSWORD": "secret", "PGHOST": "h"])
        #expect(plan.options == StandbyDirectory.Options() && plan.connection == nil && !plan.isDryRun)
    }

    @Test func `the password is asked for, or left out`() throws {
        #expect(try plan("-D d -h a -W").connection?.password == .always)
        #expect(try plan("-D d -h a -w").options.passwordPlace == .leftOut)
        #expect(try plan("-D d -h a --no-slot").options.slotName == "")
    }

    @Test(arguments: [
        ("--recovery-target-name=it's", RecoveryTarget.Place.name("it's")),
        ("--recovery-target-xid=7", .transaction(7)),
        ("--recovery-target-lsn=0/3000148", .lsn(LSN(rawValue: 0x3000148))),
        ("--recovery-target-immediate", .immediate),
    ])
    func `each kind of target`(option: String, place: RecoveryTarget.Place) throws {
        #expect(try plan("-D d \(option)").options.recoveryTarget == RecoveryTarget(place))
    }

    @Test(arguments: [
        ("", "no data directory specified"), ("-D d x", "too many command-line arguments"),
        ("-D d -W", "--password needs --primary"), ("-D d -w", "--no-password needs --primary"),
        ("-D d --passfile f", "--passfile needs --primary"), ("-D d -h a --passfile f -w", "incompatible"),
        ("-D d -S s --no-slot", "--no-slot cannot be used with slot name"),
        ("-D d --archive a --restore-command b", "incompatible"), ("-D d --mode primary", "invalid value \"primary\""),
        ("-D d --recovery-target-xid 1 --recovery-target-name n", "incompatible"),
        ("-D d --recovery-target-action pause", "--recovery-target-action needs a recovery target"),
        ("-D d --recovery-target-inclusive on", "--recovery-target-inclusive needs a recovery target"),
        ("-D d --recovery-target-xid 1 --recovery-target-inclusive yes", "invalid value \"yes\""),
        ("-D d --recovery-target-xid 1 --recovery-target-action stop", "invalid value \"stop\""),
        ("-D d --recovery-target-xid x", "invalid value \"x\""),
        ("-D d --recovery-target-lsn 7", "invalid value \"7\""),
        ("-D d --recovery-target-timeline 0", "invalid value \"0\""),
        ("-D d --recovery-target-timeline 0000001F", "invalid value"), ("-D d --set a", "invalid setting \"a\""),
        ("-D d --standby-port 0", "must be in range"),
    ])
    func `lines that make no sense are refused`(line: String, words: String) {
        let error = #expect(throws: UsageError.self) { try plan(line) }
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
    }
}
