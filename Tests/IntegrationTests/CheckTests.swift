import Foundation
import Testing
import UnderstudyTestSupport

/// `check` on a primary and its standby that live.
@Suite(.disabled(if: isStock)) struct CheckTests {
    /// What a run of `check --json` said.
    private struct Answer: CustomStringConvertible {
        var result: ProgramResult
        var findings: [[String: Any]]
        var object: [String: Any]

        var description: String { "\(result)" }

        func finding(_ name: String, of server: String? = nil) -> [String: Any]? {
            findings.first { $0["name"] as? String == name && (server == nil || $0["server"] as? String == server) }
        }

        func level(_ name: String, of server: String? = nil) -> String? {
            finding(name, of: server)?["level"] as? String
        }

        func names(_ level: String) -> [String] {
            findings.filter { $0["level"] as? String == level }.compactMap { $0["name"] as? String }
        }
    }

    private func check(_ arguments: [String], status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation)
        throws -> Answer
    {
        let result = try UnderstudyProgram.run(["check", "-w", "--json"] + arguments)
        try #require(result.status == status, "\(result)", sourceLocation: sourceLocation)
        let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
        let findings = object?["findings"] as? [[String: Any]]
        return Answer(
            result: result, findings: try #require(findings, "\(result)", sourceLocation: sourceLocation),
            object: object ?? [:])
    }

    /// The way of a pair from its beginning to its failover, with what is wrong on it: one pair serves all.
    @Test(arguments: PostgresInstallation.outermost)
    func `a pair is well, and what is wrong with it is found`(installation: PostgresInstallation) throws {
        var options = Cluster.Options()
        options.settings = ["archive_mode = on", "archive_command = 'true'"]
        options.hostBasedAuthentication.append("host all,replication all 127.0.0.1/32 trust")
        let primary = try Cluster(installation, options)
        try primary.sql("CREATE ROLE mon LOGIN; CREATE ROLE r LOGIN REPLICATION")
        let first = try check(["--primary", primary.connectionString(), "--strict"])
        #expect(first.names("ok").count == first.findings.count && first.finding("archiver") != nil, "\(first)")
        // Nothing streams yet.
        let early = try check(["--primary", primary.connectionString(), "--roundtrip"], status: 1)
        #expect(early.names("error") == ["roundtrip"], "\(early)")

        let target = TestDirectory.freshPath("standby")
        _ = try clone(
            primary, to: target,
            [
                "--slot", "s1", "--start", "--standby-port", String(Port.free()), "--bin-dir", installation.programs,
                "--set", "max_connections=40",
            ])
        let standby = try Cluster(running: target, installation)
        let both = ["--primary", primary.connectionString(), "--standby", standby.connectionString()]
        try expectWell(both, primary)
        try expectLimited(primary, standby)
        try expectWarnings(both, primary, standby)
        try expectMistakes(both, primary, standby)
        try expectFailover(both, primary, standby)
    }

    private func expectWell(_ both: [String], _ primary: Cluster) throws {
        let content = try primary.digests()
        let well = try check(both + ["--strict", "--roundtrip"])
        #expect(well.names("ok").count == well.findings.count, "\(well)")
        for name in ["receive_lag", "flush_lag", "replay_lag"] {
            #expect((well.finding(name)?["bytes"] as? Int) != nil, "\(name): \(well)")
        }
        let arrived = try #require(well.finding("roundtrip", of: "standby"))
        #expect(
            arrived["seconds"] as? Double ?? -1 > 0
                && (arrived["found"] as? String)?.hasPrefix("a logical message") == true)
        #expect(
            well.finding("wal_receiver")?["found"] as? String
                == "streaming from \"127.0.0.1\", port \(primary.port), slot \"s1\"")
        #expect((well.object["primary"] as? [String: Any])?["timeline"] as? Int == 1)
        // As the primary hears it.
        let heard = try check(["--primary", primary.connectionString(), "--roundtrip"])
        #expect(heard.finding("roundtrip", of: "primary")?["seconds"] as? Double ?? -1 > 0, "\(heard)")
        // The markers have left nothing behind.
        #expect(try primary.digests() == content)
        let text = try UnderstudyProgram.run(["check"] + both)
        #expect(text.status == 0 && text.output.hasSuffix("\nall is well\n"), "\(text)")
        #expect(text.output.hasPrefix("primary: ok: recovery: a primary\n"), "\(text)")
    }

    /// What a role may not see is not called ok, and a marker needs no right.
    private func expectLimited(_ primary: Cluster, _ standby: Cluster) throws {
        let seen = try check(
            [
                "--primary", primary.connectionString(user: "r"), "--standby", standby.connectionString(user: "mon"),
                "--roundtrip",
            ])
        #expect(seen.names("unknown").sorted() == ["pg_hba", "standby", "wal_receiver"], "\(seen)")
        #expect((seen.finding("standby")?["cure"] as? String)?.contains("GRANT pg_monitor TO r;") == true)
        #expect((seen.finding("wal_receiver")?["cure"] as? String)?.contains("GRANT pg_monitor TO mon;") == true)
        _ = try check(["--primary", primary.connectionString(user: "r"), "--strict"], status: 2)
        let own = try check(["--primary", primary.connectionString(user: "mon"), "--roundtrip"], status: 1)
        #expect(own.names("error") == ["role", "roundtrip"], "\(own)")
        // Its lines are what it says they are.
        try primary.sql("GRANT pg_monitor TO r, mon")
        try primary.waitForReplay(on: standby)
        let granted = try check(
            ["--primary", primary.connectionString(user: "r"), "--standby", standby.connectionString(user: "mon")])
        #expect(granted.names("unknown") == ["pg_hba"], "\(granted)")
    }

    private func expectWarnings(_ both: [String], _ primary: Cluster, _ standby: Cluster) throws {
        try primary.sql("SELECT pg_create_physical_replication_slot('idle', true)")
        for setting in [
            "max_wal_size = '2GB'", "full_page_writes = off", "archive_command = 'false'",
            "synchronous_commit = 'local'",
            "synchronous_standby_names = 'nobody'",
        ] { try primary.sql("ALTER SYSTEM SET \(setting)") }
        try primary.sql("SELECT pg_reload_conf()")
        try primary.sql("SELECT pg_switch_wal()")
        try eventually("the archiver's failure") {
            try primary.holds("SELECT failed_count > 0 FROM pg_stat_archiver")
        }
        let seen = try check(both + ["--roundtrip"], status: 1)
        #expect(seen.names("error") == ["archiver"], "\(seen)")
        #expect(seen.names("warning").sorted() == ["full_page_writes", "slot", "synchronous_standby_names"], "\(seen)")
        #expect(seen.findings.contains { $0["object"] as? String == "idle" && $0["bytes"] as? Int ?? 0 > 0 })
        try primary.sql("ALTER SYSTEM RESET synchronous_commit")
        try primary.sql("SELECT pg_reload_conf()")
        try eventually("the setting") { try primary.holds("SELECT current_setting('synchronous_commit') = 'on'") }
        // Commits wait now; a check and its marker do not.
        let waiting = try check(["--primary", primary.connectionString(), "--roundtrip"], status: 1)
        #expect(waiting.names("error").sorted() == ["archiver", "synchronous_standby_names"], "\(waiting)")
        #expect(waiting.level("roundtrip") == "ok", "\(waiting)")
        try primary.sql("ALTER SYSTEM RESET ALL")
        try primary.sql("SELECT pg_reload_conf()")
        try primary.sql("SELECT pg_drop_replication_slot('idle')")

        // Waiting ends when all is well again.
        try standby.sql("SELECT pg_wal_replay_pause()")
        let waiter = try UnderstudyProgram.start(["check", "-w", "-v", "--json", "--strict", "--wait", "1h"] + both)
        try eventually("the second check") {
            guard waiter.isRunning else { throw SupportError("ended too early: \(waiter.wait())") }
            return waiter.errorOutput.contains("not well yet: 1 warning")
        }
        try standby.sql("SELECT pg_wal_replay_resume()")
        let result = waiter.wait()
        #expect(result.status == 0 && result.output.contains("\"level\":\"ok\",\"primary\":{"), "\(result)")
    }

    private func expectMistakes(_ both: [String], _ primary: Cluster, _ standby: Cluster) throws {
        let (one, other) = (primary.connectionString(), standby.connectionString())
        let swapped = try check(["--primary", other, "--standby", one, "--roundtrip"], status: 1)
        #expect(swapped.finding("servers")?["cure"] as? String == "Give them the other way round.", "\(swapped)")
        #expect(
            swapped.level("recovery", of: "primary") == "error" && swapped.level("recovery", of: "standby") == "error")
        #expect(
            (swapped.finding("recovery", of: "primary")?["cure"] as? String)?.contains("port \(primary.port)") == true)
        let twice = try check(["--primary", one, "--standby", one], status: 1)
        #expect(twice.names("error") == ["servers"], "\(twice)")
        let nobody = try check(["--primary", primary.connectionString(port: 1), "--standby", other], status: 1)
        #expect(nobody.names("error") == ["connection"] && nobody.level("recovery", of: "standby") == "ok", "\(nobody)")
        #expect(nobody.object["primary"] is NSNull)
        let alone = try check(["--standby", one], status: 1)
        #expect(alone.names("error") == ["recovery"], "\(alone)")

        // A standby that lets nobody in.
        try standby.append(["hot_standby = off"], to: "postgresql.auto.conf")
        try standby.stop()
        _ = try Program.run(
            standby.installation.program("pg_ctl"), ["start", "-W", "-s", "-D", standby.directory, "-l", "/dev/null"])
        try eventually("the standby's stream") {
            try primary.holds("SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'")
        }
        let closed = try check(both, status: 1)
        #expect(closed.names("error") == ["hot_standby"], "\(closed)")
        try standby.append(["hot_standby = on"], to: "postgresql.auto.conf")
        try standby.restart()
        try eventually("the standby's stream") {
            try primary.holds("SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'")
        }
    }

    private func expectFailover(_ both: [String], _ primary: Cluster, _ standby: Cluster) throws {
        try primary.stop()
        try Program.check(standby.installation.program("pg_ctl"), ["promote", "-w", "-s", "-D", standby.directory])
        try primary.start()
        let old = try check(
            ["--primary", standby.connectionString(), "--standby", primary.connectionString(), "--roundtrip"], status: 1
        )
        #expect(old.names("error") == ["recovery"], "\(old)")
        let message = old.finding("recovery", of: "standby")?["message"] as? String ?? ""
        #expect(
            message.contains(
                "is no standby: it is not in recovery, and on the older timeline 1, where the primary is on 2"))
        #expect((old.finding("recovery", of: "standby")?["cure"] as? String)?.contains("--delta") == true)
    }

    /// Refusals of the ordinary connection, of the replication connection, and of both.
    @Test func `what pg_hba.conf refuses is said, with the line that allows it`() throws {
        var options = Cluster.Options()
        options.hostBasedAuthentication = [
            "host replication r 127.0.0.1/32 scram-sha-256", "host all q 127.0.0.1/32 trust",
        ]
        let cluster = try Cluster(.newest, options)
        try cluster.makeReplicationRole("r", password: "secret")
        try cluster.makeReplicationRole("q")
        let only = cluster.connectionString(user: "r")
        let seen = try check(["--primary", "\(only) password=secret"])
        #expect(
            seen.level("sql") == "unknown" && seen.level("wal_level") == "ok" && seen.level("recovery") == "ok",
            "\(seen)")
        #expect((seen.finding("sql")?["cure"] as? String)?.contains("host  postgres  r  127.0.0.1/32") == true)
        let sent = try check(["--primary", "\(only) password=secret", "--roundtrip"], status: 1)
        #expect(sent.names("error") == ["roundtrip"], "\(sent)")
        let other = try check(["--primary", cluster.connectionString(user: "q")], status: 1)
        #expect(other.names("error") == ["replication_connection"], "\(other)")
        #expect((other.finding("replication_connection")?["cure"] as? String)?.contains("host  replication  q") == true)
        let neither = try check(["--standby", cluster.connectionString(user: "nobody")], status: 1)
        #expect(neither.names("error") == ["connection"], "\(neither)")
        #expect((neither.finding("connection")?["cure"] as? String)?.contains("pg_hba.conf on the standby") == true)

        // A password that is asked for, on a line of standard input where there is no terminal.
        let missing = try UnderstudyProgram.run(["check", "-w", "--primary", only])
        expectRefused(missing, "password")
        let asked = try UnderstudyProgram.start(["check", "--primary", only], input: "secret\n").wait()
        #expect(asked.status == 0 && asked.output.contains("replication_connection: accepted"), "\(asked)")
        #expect(!asked.output.contains("secret") && !asked.errorOutput.contains("secret"))
    }
}
