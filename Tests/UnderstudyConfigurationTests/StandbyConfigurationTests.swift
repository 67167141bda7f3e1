import Testing
import UnderstudyConfiguration

@Suite struct StandbyConfigurationTests {
    typealias FileEdit = StandbyConfiguration.FileEdit

    static func edits(_ serverVersion: Int, slotName: String? = "s1", port: Int? = 5433) -> [FileEdit] {
        StandbyConfiguration(
            serverVersion: serverVersion, primaryConnInfo: "host=a password='it\\'s'", slotName: slotName, port: port
        ).edits
    }

    static let connInfo = #"primary_conninfo = 'host=a password=''it\\''s'''"#

    @Test("before 12 recovery settings are in recovery.conf", arguments: [90_400, 90_624, 110_001, 119_999])
    func recoveryConf(serverVersion: Int) {
        #expect(
            Self.edits(serverVersion) == [
                FileEdit(
                    name: "postgresql.auto.conf", content: "\nhot_standby = 'on'\nport = '5433'\n", kind: .append),
                FileEdit(
                    name: "recovery.conf",
                    content: """
                        standby_mode = 'on'
                        \(Self.connInfo)
                        primary_slot_name = 's1'
                        recovery_target_timeline = 'latest'

                        """, kind: .create),
            ])
    }

    @Test("the line for archives survives the shell and the server's percent signs")
    func restoreCommand() {
        #expect(
            StandbyConfiguration.restoreCommand(archives: ["/srv/wal"])
                == #"understudy restore-wal -D /srv/wal %f "%p""#)
        #expect(
            StandbyConfiguration.restoreCommand(archives: ["/a b's", "/100%"], program: "/opt/u p/understudy")
                == #"'/opt/u p/understudy' restore-wal -D '/a b'\''s' -D '/100%%' %f "%p""#)
    }

    @Test(
        "a command for WAL and other settings stand where the version reads them",
        arguments: [90_400, 119_999, 120_000])
    func moreSettings(serverVersion: Int) {
        var configuration = StandbyConfiguration(
            serverVersion: serverVersion, primaryConnInfo: "host=a",
            settings: [
                .init("cluster_name", "it's"), .init("Recovery_Min_Apply_Delay", "5"), .init("x.y", "a\nb"),
            ])
        configuration.restoreCommand = #"cp "\%f" %p"#
        let edits = configuration.edits, last = edits.last?.content.split(separator: "\n") ?? []
        let command = #"restore_command = 'cp "\\%f" %p'"#, delay = "Recovery_Min_Apply_Delay = '5'"
        let others = ["cluster_name = 'it''s'", #"x.y = 'a\nb'"#]
        let first = edits[0].content.split(separator: "\n").map(String.init)
        if serverVersion < 120_000 {
            #expect(last.suffix(2) == [command[...], delay[...]])
            #expect(first == ["hot_standby = 'on'"] + others)
        } else {
            #expect(first.contains(command) && first.suffix(3) == [others[0], delay, others[1]])
        }
    }

    @Test("9.3 has no slots and reads postgresql.conf only")
    func nineThree() {
        #expect(
            Self.edits(90_325) == [
                FileEdit(
                    name: "postgresql.conf", content: "\nhot_standby = 'on'\nport = '5433'\n", kind: .appendIfPresent),
                FileEdit(
                    name: "recovery.conf",
                    content: """
                        standby_mode = 'on'
                        \(Self.connInfo)
                        recovery_target_timeline = 'latest'

                        """, kind: .create),
            ])
    }

    @Test(
        "from 12 they are settings like others, and standby.signal comes last", arguments: [120_000, 150_018, 190_000])
    func standbySignal(serverVersion: Int) {
        #expect(
            Self.edits(serverVersion) == [
                FileEdit(
                    name: "postgresql.auto.conf",
                    content: """

                        \(Self.connInfo)
                        primary_slot_name = 's1'
                        recovery_target_timeline = 'latest'
                        recovery_target = ''
                        recovery_target_name = ''
                        recovery_target_time = ''
                        recovery_target_xid = ''
                        recovery_target_lsn = ''
                        hot_standby = 'on'
                        port = '5433'

                        """, kind: .append),
                FileEdit(name: "standby.signal", content: "", kind: .create),
            ])
    }

    @Test("the slot, a target of recovery and the timeline can be left as the copy has them, as pg_basebackup does")
    func leavesTargets() throws {
        for version in [110_000, 120_000] {
            var configuration = StandbyConfiguration(serverVersion: version, primaryConnInfo: "host=a")
            configuration.resetsRecoveryTarget = false
            configuration.followsLatestTimeline = false
            configuration.resetsSlotName = false
            configuration.hotStandby = false
            let text = configuration.edits.map(\.content).joined()
            #expect(
                text == (version < 120_000 ? "standby_mode = 'on'\n" : "\n") + "primary_conninfo = 'host=a'\n")
        }
    }

    @Test("without a slot the name that the primary's file may hold is taken back")
    func noSlot() throws {
        let new = try #require(Self.edits(150_018, slotName: nil, port: nil).first)
        #expect(new.content.contains("\nprimary_slot_name = ''\n"))
        #expect(!new.content.contains("port ="))
        let old = try #require(Self.edits(90_600, slotName: nil, port: nil).last)
        #expect(!old.content.contains("primary_slot_name"))
    }

    @Test("a file without lines is not touched")
    func nothingToAppend() {
        let configuration = StandbyConfiguration(serverVersion: 90_325, primaryConnInfo: "host=a", hotStandby: false)
        #expect(configuration.edits.map(\.name) == ["recovery.conf"])
    }

    @Test(
        "a value stays one value on one line whatever is in it",
        arguments: [
            ("plain", "'plain'"), ("", "''"), ("it's", "'it''s'"), (#"a\b"#, #"'a\\b'"#),
            ("a'\nport = 1", #"'a''\nport = 1'"#), ("a\r\nb", #"'a\r\nb'"#), ("#x", "'#x'"),
            ("'\u{301}", "'''\u{301}'"),
        ])
    func quotes(value: String, quoted: String) throws {
        let configuration = StandbyConfiguration(
            serverVersion: 150_018, primaryConnInfo: "", settings: [.init("cluster_name", value)])
        let content = try #require(configuration.edits.first).content
        #expect(content.utf8.reversed().starts(with: "\ncluster_name = \(quoted)\n".utf8.reversed()))
    }
}
