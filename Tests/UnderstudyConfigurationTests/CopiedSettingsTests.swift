import Testing
import UnderstudyConfiguration

@Suite("Lines of a server's configuration file")
struct ConfigurationLineTests {
    static func setting(_ name: String, _ value: String) -> [ConfigurationLine] { [.setting(name: name, value: value)] }

    static let cases: [(String, [ConfigurationLine])] = [
        ("", []), ("# recovery_target = 'x'", []), ("port = 5433", setting("port", "5433")),
        (
            "  Recovery_Target_Time   '2020-01-01 00:00:00+00'  # why",
            setting("recovery_target_time", "2020-01-01 00:00:00+00")
        ),
        ("hot_standby off", setting("hot_standby", "off")), ("a='it''s'", setting("a", "it's")),
        (#"a = 'it\'s \\ \n \101 \x'"#, setting("a", "it's \\ \n A x")), ("a = ''", setting("a", "")),
        ("a = -1.5", setting("a", "-1.5")), ("delay=5min\r", setting("delay", "5min")),
        ("my.name = archive/x:y", setting("my.name", "archive/x:y")), ("a = 'x", []), ("a", []), ("a =", []),
        ("a = 'x' y", []), ("= 1", []), ("a = é", setting("a", "é")),
        ("include 'other.conf'", [.include("other.conf")]), ("Include_If_Exists = x.conf", [.include("x.conf")]),
        ("include_dir 'conf.d'", [.includeDirectory("conf.d")]),
    ]

    @Test("are read as the server reads them, and what it refuses is left out", arguments: cases)
    func reads(text: String, lines: [ConfigurationLine]) {
        #expect(ConfigurationLine.read(text) == lines)
        #expect(
            ConfigurationLine.read("x = 1\n\(text)\ny = 2\n")
                == Self.setting("x", "1") + lines + Self.setting("y", "2"))
    }
}

@Suite("Settings that came along in a copy")
struct CopiedSettingsTests {
    /// The names of what is told, in its order.
    private func told(_ settings: KeyValuePairs<String, String>, _ version: Int = 150_000, overridden: Bool = false)
        -> [String]
    {
        var copied = CopiedSettings()
        for (name, value) in settings { copied.set(name, value, file: "/d/postgresql.auto.conf") }
        return copied.findings(serverVersion: version, areOverridden: overridden, directory: "/d").map {
            String($0.message.split(separator: "\"")[0])
        }
    }

    @Test("are told by name where they would change what a standby does")
    func tells() {
        let all: KeyValuePairs = [
            "recovery_min_apply_delay": "1h", "restore_command": "cp", "archive_cleanup_command": "rm",
            "recovery_end_command": "mail", "promote_trigger_file": "/tmp/x", "archive_mode": "Always",
            "hot_standby": "OFF",
        ]
        let names = [
            "hot_standby", "recovery_min_apply_delay", "restore_command", "archive_cleanup_command",
            "recovery_end_command", "promote_trigger_file", "archive_mode",
        ]
        #expect(told(all) == names)
        #expect(told(all, overridden: true) == names)
        #expect(told(all, 160_000) == names.filter { $0 != "promote_trigger_file" })
        // Before 12 the others are settings of recovery.conf alone.
        #expect(told(all, 110_000) == ["hot_standby", "archive_mode"])
        #expect(told(all, 90_400) == ["hot_standby"])
    }

    @Test("are not told where they change nothing")
    func tellsNothing() {
        #expect(
            told([
                "recovery_min_apply_delay": "0", "restore_command": "", "archive_mode": "on", "hot_standby": "on",
                "recovery_target_timeline": "latest", "recovery_target": "", "recovery_target_name": "",
                "recovery_target_inclusive": "off", "work_mem": "1MB",
            ]) == [])
        #expect(told(["recovery_target_time": "2020-01-01", "recovery_target_timeline": "3"], overridden: true) == [])
    }

    @Test("are told of recovery targets and another timeline where those stay as they are")
    func targets() {
        let targets: KeyValuePairs = [
            "recovery_target": "immediate", "recovery_target_name": "n", "recovery_target_time": "t",
            "recovery_target_xid": "1", "recovery_target_lsn": "0/1", "recovery_target_timeline": "current",
        ]
        #expect(told(targets) == targets.map(\.key))
        #expect(told(targets, 110_000) == [])
    }

    @Test("are named where they are set anew")
    func changes() {
        var copied = CopiedSettings()
        copied.set("recovery_target_timeline", "Latest", file: "/f")
        #expect(copied.changes(serverVersion: 150_000) == [])
        copied.set("recovery_target_timeline", "current", file: "/f")
        let timeline = "recovery_target_timeline that came along is replaced by latest"
        #expect(copied.changes(serverVersion: 150_000) == [timeline])
        copied.set("recovery_target_time", "t", file: "/f")
        copied.set("recovery_target", "immediate", file: "/f")
        #expect(
            copied.changes(serverVersion: 150_000)
                == ["recovery target that came along is taken back: recovery_target, recovery_target_time", timeline])
        #expect(copied.changes(serverVersion: 110_000) == [])
    }

    @Test("have the last value that is set, as in the server")
    func lastWins() {
        #expect(told(["archive_mode": "always", "archive_mode": "on"]) == [])
        #expect(told(["hot_standby": "on", "hot_standby": "no"]) == ["hot_standby"])
    }

    @Test(
        "are off in all the words that the server takes for it", arguments: ["off", "of", "FALSE", "f", "no", "N", "0"])
    func off(_ word: String) {
        #expect(told(["hot_standby": word]) == ["hot_standby"])
    }

    @Test("are not off in others", arguments: ["on", "o", "true", "yes", "1", ""])
    func on(_ word: String) {
        #expect(told(["hot_standby": word]) == [])
    }

    @Test("are taken back by a command that can be pasted")
    func hint() throws {
        var copied = CopiedSettings()
        copied.set("recovery_target_xid", "7", file: "/it's/postgresql.conf")
        let finding = try #require(
            copied.findings(serverVersion: 150_000, areOverridden: false, directory: "/it's").first)
        #expect(
            finding.hint?.hasSuffix(
                #"printf "recovery_target%s = ''\n" '' '_name' '_time' '_xid' '_lsn' >> '/it'\''s/postgresql.auto.conf'"#
            )
                == true)
    }
}
