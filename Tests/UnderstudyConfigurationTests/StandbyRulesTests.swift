import Testing
import UnderstudyWAL

@testable import UnderstudyConfiguration

/// What a version does not have, or would not read.
struct StandbyRulesTests {
    private static func edit(
        _ version: Int, _ change: (inout StandbyConfiguration) -> Void
    ) -> StandbyConfiguration {
        var configuration = StandbyConfiguration(serverVersion: version, hotStandby: false)
        configuration.followsLatestTimeline = false
        change(&configuration)
        return configuration
    }

    private static func target(
        _ version: Int, _ place: RecoveryTarget.Place, inclusive: Bool? = nil, action: RecoveryTarget.Action? = nil
    ) -> StandbyConfiguration {
        edit(version) { $0.recoveryTarget = RecoveryTarget(place, isInclusive: inclusive, action: action) }
    }

    static let refused: [(StandbyConfiguration, String)] = [
        (edit(90_300) { $0.slotName = "s" }, "version 9.3 has no replication slots, which came with 9.4"),
        (edit(90_300) { $0.minApplyDelay = "1s" }, "has no recovery_min_apply_delay"),
        (edit(160_000) { $0.triggerFile = "/t" }, "version 16 has no file whose appearance promotes a standby"),
        (target(90_300, .immediate), "has no target \"immediate\", which came with 9.4"),
        (target(90_600, .lsn(LSN(rawValue: 1))), "version 9.6 has no recovery_target_lsn, which came with 10"),
        (target(90_400, .transaction(1), action: .shutdown), "has no action \"shutdown\""),
        (target(150_000, .name("")), "cannot be the name of a restore point"),
        (target(150_000, .name(String(repeating: "é", count: 32))), "cannot be the name of a restore point"),
        (target(150_000, .name("x"), inclusive: true), "neither inclusive nor exclusive"),
        (target(150_000, .immediate, inclusive: false), "neither inclusive nor exclusive"),
        (target(150_000, .time("Today 12:00")), "cannot be a recovery target"),
        (target(150_000, .time("  ")), "cannot be a recovery target"),
        (target(150_000, .transaction(0)), "transaction 0"),
        (edit(150_000) { $0.settings = [.init("a b", "1")] }, "\"a b\" is not the name of a setting"),
        (edit(150_000) { $0.settings = [.init("Include", "/etc/passwd")] }, "is not the name of a setting"),
        (edit(150_000) { $0.removedSettings = ["x\ny"] }, "is not the name of a setting"),
        (edit(150_000) { $0.settings = [.init("trigger_file", "/t")] }, "version 15 has no setting \"trigger_file\""),
        (
            edit(160_000) { $0.settings = [.init("Promote_Trigger_File", "")] },
            "has no setting \"promote_trigger_file\""
        ),
        (edit(110_000) { $0.settings = [.init("promote_trigger_file", "")] }, "version 11 has no setting"),
        (edit(150_000) { $0.restoreCommand = "a\nb" }, "the value of restore_command has a line end"),
        (edit(90_300) { $0.restoreCommand = "a\0b" }, "the value of restore_command has a zero byte"),
        (
            edit(150_000) {
                $0.mode = .recovery
                $0.primaryConnInfo = "host=a"
            }, "connects to no primary"
        ),
        (
            edit(150_000) {
                $0.mode = .recovery
                $0.triggerFile = "/t"
            }, "only a standby"
        ),
    ]

    @Test(arguments: refused)
    func `what a version does not have or read is refused`(configuration: StandbyConfiguration, words: String) {
        let finding = #expect(throws: Finding.self) { try configuration.check() }
        #expect(finding?.message.contains(words) == true, "\(finding?.message ?? "")")
    }

    @Test(arguments: [
        (110_000, "5", true), (110_000, "1.5h", false), (110_000, "5us", false), (120_000, "5us", true),
        (120_000, "1.5 h", true), (120_000, "1x", false), (120_000, "", false), (120_000, "-1", false),
        (120_000, "24d", true), (120_000, "25d", false), (120_000, "99999999999999999999999999d", false),
        (120_000, "1.2.3", false), (120_000, " 10min ", true), (120_000, ".", false),
    ])
    func `a delay is what the server reads as one`(version: Int, text: String, isGood: Bool) {
        let configuration = Self.edit(version) { $0.minApplyDelay = text }
        #expect(((try? configuration.check()) != nil) == isGood)
    }

    @Test(arguments: [
        ("2026-13-45", false), ("2026-00-01", false), ("2026-02-30 12:00", false), ("2026-11-28 25:00", false),
        ("2026-11-28T12:60:00+00", false), (" 2026-11-28 12:04:61", false), ("2026-11-28", true),
        ("2026-11-28 24:00", true), ("2026-11-28 12:04:60.5+01", true), ("28.11.2026 12:04", true),
        ("Nov 28 12:04:00 2026", true), ("20261345", true), ("2026-332", true), ("epoch", true),
    ])
    func `a moment that cannot be is refused`(text: String, isGood: Bool) {
        #expect(((try? Self.target(150_000, .time(text)).check()) != nil) == isGood)
    }

    @Test func `what each version has passes`() throws {
        for version in [90_300, 90_400, 90_500, 90_600, 100_000, 110_000, 120_000, 150_000, 160_000, 190_000] {
            try Self.target(version, .time("2026-11-28 12:04:00+00"), inclusive: true, action: .pause).check()
            if version >= 90_400 { try Self.target(version, .immediate, action: .promote).check() }
            if version >= 100_000 { try Self.target(version, .lsn(LSN(rawValue: 1)), action: .shutdown).check() }
            try Self.edit(version) { $0.settings = [.init("x.y", "é '\\ %")] }.check()
            // A setting that keeps a server from starting can be taken out.
            try Self.edit(version) { $0.removedSettings = ["promote_trigger_file", "trigger_file"] }.check()
        }
    }
}

/// primary_conninfo of a connection that was given and not made.
struct GivenConnInfoTests {
    private func info(
        _ settings: KeyValuePairs<String, String>, _ version: Int = 150_000, password: String? = nil,
        in place: PrimaryConnInfo.PasswordPlace = .inline
    ) throws -> PrimaryConnInfo {
        try PrimaryConnInfo(given: ConnectionSettings(settings), forServer: version, password: password, in: place)
    }

    @Test func `what was given stays, and what the server adds goes`() throws {
        let given: KeyValuePairs = [
            "service": "main", "host": "a,b", "sslmode": "prefer", "user": "", "dbname": "db", "replication": "1",
            "fallback_application_name": "understudy", "passfile": "/p",
        ]
        #expect(try info(given).conninfo == "service=main host='a,b' sslmode=prefer passfile='/p'")
        #expect(try info(given, 170_000).conninfo == "service=main host='a,b' sslmode=prefer dbname=db passfile='/p'")
    }

    @Test func `keywords that the version does not know are named`() throws {
        let given: KeyValuePairs = [
            "host": "a", "sslnegotiation": "direct", "channel_binding": "require", "passfile": "/p",
        ]
        let old = try info(given, 90_600)
        #expect(old.conninfo == "host=a" && old.dropped == ["sslnegotiation", "channel_binding"])
        #expect(old.environmentPassfile == "/p")
        #expect(try info(given, 160_000).dropped == ["sslnegotiation"])
        #expect(try info(given, 170_000).dropped == [])
        #expect(throws: Finding.self) { try info(["host": "a,b"], 90_600) }
    }

    @Test func `the password goes where it is to go`() throws {
        #expect(try info(["host": "a"], password: "it's").conninfo == #"host=a password='it\'s'"#)
        #expect(try info(["host": "a", "password": "own"], password: "other").conninfo == "host=a password=own")
        #expect(try info(["password": "own", "host": "a"], password: "x", in: .leftOut).conninfo == "host=a")
        let file = try info(["password": "own", "host": "a"], in: .file("/p f"))
        #expect(file.conninfo == "host=a passfile='/p f'" && file.environmentPassfile == nil)
        let old = try info(["password": "own", "host": "a"], 90_300, in: .file("/p"))
        #expect(old.conninfo == "host=a" && old.environmentPassfile == "/p")
    }
}

/// A connection that is there already.
struct EarlierConnInfoTests {
    @Test(
        arguments: [
            ("a=1 b = 'x \\' y'  c=d\\ e f=", #"a=1 b='x \' y' c='d e' f=''"#), ("", ""), (" a=1 a=2", "a=2"),
            ("require_auth=none", "require_auth=none"), ("a", nil), ("a b=1", nil), ("=1", nil), ("a='1", nil),
            ("postgresql://h/d", nil),
        ] as [(String, String?)])
    func `is read as libpq reads it`(text: String, said: String?) {
        #expect(ConnectionSettings(conninfo: text)?.conninfo == said)
    }

    @Test func `keeps what is not given`() throws {
        let earlier = ConnectionSettings([
            "user": "r", "password": "p", "hostaddr": "10.0.0.1", "host": "a", "port": "1", "sslmode": "require",
        ])
        let moved = try earlier.changed(by: ConnectionSettings(["host": "b"]))
        #expect(moved.conninfo == "user=r password=p host=b port=1 sslmode=require")
        #expect(try earlier.changed(by: ConnectionSettings(["port": "2"]))["hostaddr"] == "10.0.0.1")
        #expect(try earlier.changed(by: ConnectionSettings(["user": "r"]))["password"] == "p")
        #expect(try earlier.changed(by: ConnectionSettings(["user": "s"]))["password"] == nil)
        let several = ConnectionSettings(["host": "a,b", "port": "1,2"])
        #expect(throws: Finding.self) { try several.changed(by: ConnectionSettings(["host": "c"])) }
        #expect(try several.changed(by: ConnectionSettings(["host": "c", "port": "3"])).conninfo == "host=c port=3")
    }

    @Test func `gives its password to a new one of the same user alone`() {
        let earlier = ConnectionSettings(["user": "r", "password": "p", "port": "1"])
        var same = ConnectionSettings(["host": "b", "user": "r"])
        same.takePassword(from: earlier)
        #expect(same["password"] == "p" && same.missing(from: earlier) == ["port"])
        var other = ConnectionSettings(["host": "b", "user": "s"])
        other.takePassword(from: earlier)
        #expect(other["password"] == nil)
        var own = ConnectionSettings(["user": "r", "passfile": "/f"])
        own.takePassword(from: earlier)
        #expect(own["password"] == nil)
    }
}
