import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// `understudy prepare` on servers that nobody prepared.
@Suite(.disabled(if: isStock)) struct PrepareTests {
    /// With all that a quoting could stumble over.
    private static let password = #"it's \ "secret" 100% ä"#

    private func login(_ cluster: Cluster) -> String {
        "host=\(cluster.socketDirectory) port=\(cluster.port) user=postgres"
    }

    private func prepare(
        _ cluster: Cluster, _ arguments: [String], login: String? = nil, password: String? = Self.password
    ) throws -> ProgramResult {
        try UnderstudyProgram.run(
            ["prepare", "--primary", login ?? self.login(cluster), "-w"] + arguments,
            environment: password.map { ["UNDERSTUDY_ROLE_PASSWORD": $0] } ?? [:])
    }

    private func expectNothingToDo(_ result: ProgramResult) {
        #expect(result.status == 0 && result.output == "nothing to change: the primary is prepared\n", "\(result)")
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `a server as it was made becomes a primary whose standby follows`(installation: PostgresInstallation) throws {
        var options = Cluster.Options()
        options.settings = [
            "wal_level = minimal", "max_wal_senders = 0", "max_replication_slots = 0", "log_statement = all",
        ]
        options.hostBasedAuthentication = [
            "host all postgres 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 reject # nobody",
        ]
        let primary = try Cluster(installation, options), rules = "\(primary.directory)/pg_hba.conf"
        let before = try FileTree.text(rules), standby = ["--standby", "127.0.0.1"]

        // The whole plan, and nothing of it.
        let dry = try prepare(primary, standby + ["--dry-run"], password: nil)
        #expect(dry.status == 0, "\(dry)")
        let line = "host  replication  replicator  127.0.0.1/32  scram-sha-256"
        for text in [
            "CREATE ROLE replicator WITH LOGIN REPLICATION PASSWORD '...';\n",
            "ALTER SYSTEM SET wal_level = replica;\n",
            "ALTER SYSTEM SET max_wal_senders = 10;\n", "--- \(rules)\n",
            "\n+\(line)\n host replication all 127.0.0.1/32 reject",
            "SELECT pg_reload_conf();\n", "nothing was changed\n",
        ] {
            #expect(dry.output.contains(text), "\(text) in \(dry)")
        }
        #expect(try FileTree.text(rules) == before)
        #expect(try primary.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'replicator'") == "0")
        // Without a password a role could not log in.
        expectRefused(
            try prepare(primary, standby, password: nil), "has no password", "Nothing was changed",
            "UNDERSTUDY_ROLE_PASSWORD")

        let first = try prepare(primary, standby + ["-v"])
        #expect(first.status == 0, "\(first)")
        #expect(first.output.contains("done: set wal_level to replica (it is minimal)\n    ALTER SYSTEM SET wal_level"))
        #expect(
            first.output.contains(
                "come into effect when the primary is restarted: max_replication_slots, max_wal_senders, wal_level\n"),
            "\(first)")
        #expect(try FileTree.text(rules) == before.replacing("host replication", with: "\(line)\nhost replication"))
        #expect(try FileTree.text("\(rules).old") == before && FileTree.mode(rules) == 0o600)
        #expect(try primary.sql("SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL") == "0")
        // The password was sent nowhere, and what the server keeps of it is not in its log. The other statements are.
        let log = try FileTree.text("\(primary.directory)/../log")
        #expect(!log.contains("SCRAM-SHA-256$") && !log.contains("secret"))
        #expect(log.contains("ALTER SYSTEM SET wal_level"))

        // What waits for a restart is not set again.
        let second = try prepare(primary, standby)
        #expect(second.status == 0 && !second.output.contains("done:"), "\(second)")
        #expect(
            second.output.contains("nothing to change") && second.output.contains("is restarted: max_"), "\(second)")
        #expect(!FileTree.exists("\(rules).old.1"))

        let third = try prepare(primary, standby + ["--restart", "--bin-dir", installation.programs])
        #expect(third.status == 0 && third.output.contains("done: restart the server\n"), "\(third)")
        #expect(try primary.sql("SHOW wal_level") == "replica")
        expectNothingToDo(try prepare(primary, standby + ["--restart", "--bin-dir", installation.programs]))

        let words = Self.password.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
        let target = TestDirectory.freshPath("standby")
        let copy = try UnderstudyProgram.run([
            "clone", "--primary", "\(primary.connectionString(user: "replicator")) password='\(words)'", "-D", target,
            "--slot", "s", "-c", "fast", "--start", "--standby-port", "\(Port.free())", "--bin-dir",
            installation.programs,
            "-w",
        ])
        #expect(copy.status == 0, "\(copy)")
        let follower = try Cluster(running: target, installation)
        try primary.sql("CREATE TABLE arrives AS SELECT 1 AS n")
        try primary.waitForReplay(on: follower)
        #expect(try follower.sql("SELECT n FROM arrives") == "1")
        expectRefused(try prepare(follower, standby), "is a standby", "Name its primary")

        // Another password, and only that.
        let file = TestDirectory.freshPath("password")
        try TestDirectory.write("other\nmore\n", to: file)
        let changed = try prepare(primary, standby + ["--role-password-file", file])
        #expect(
            changed.output == "done: give role \"replicator\" its password\nthe primary is prepared\n", "\(changed)")
        expectNothingToDo(try prepare(primary, standby, password: "other"))

        try compareWithServer(primary, rules, installation)
    }

    /// Every line of random files is read as the server reads it.
    private func compareWithServer(_ cluster: Cluster, _ rules: String, _ installation: PostgresInstallation) throws {
        var random = SplitMix64(state: UInt64(installation.major))
        func pick(_ words: [String]) -> String { words.randomElement(using: &random) ?? "" }
        let names = [
            "all", "\"all\"", "replication", "a", "\"a b\"", "\"x\"\"y\"", "+g", "\"+g\"", "a,b", "a, \"b,c\"", "a#b",
            "é", "/^a$",
        ]
        let addresses = [
            "10.0.0.0/8", "10.0.0.1 255.255.255.0", "::1/128", "fd00::1 ffff::", "samehost", "samenet", "all",
            "\"all\"", "db1",
            ".example.com", "10.0.0.1/33", "10.0.0.1", "1.2.3.4/", "x/8",
        ]
        var lines: [String] = []
        for _ in 0..<400 {
            let type = pick(["local", "host", "host", "hostnossl", "hostgssenc", "hostnogssenc", "hosts", "\"host\""])
            var words = [type, pick(names), pick(names)]
            if type != "local" { words.append(pick(addresses)) }
            words.append(pick(["trust", "md5", "scram-sha-256", "reject", "password", "\"md5\"", "krb5"]))
            if Int.random(in: 0..<12, using: &random) == 0 { words.removeLast() }
            if Int.random(in: 0..<12, using: &random) == 0 { words.insert(pick(["#", ",", "\\\n", "\"\""]), at: 2) }
            lines.append(words.joined(separator: pick([" ", "\t", "  "])) + pick(["", "", " # x", " \\", "\r"]))
        }
        let text = lines.joined(separator: "\n") + "\n"
        try TestDirectory.write(text, to: rules)
        let theirs = try cluster.sql(
            """
            SELECT line_number, type IS NULL, coalesce(type, ''), coalesce(array_to_string(database, '^'), ''), \
            coalesce(array_to_string(user_name, '^'), ''), coalesce(address, ''), coalesce(netmask, ''), \
            coalesce(auth_method, '') FROM pg_hba_file_rules ORDER BY 1
            """
        ).components(separatedBy: "\n")
        let version = try Int(cluster.sql("SHOW server_version_num")) ?? 0
        let ours = readRules(text, version: version)
        #expect(ours.count == theirs.count)
        for (our, their) in zip(ours, theirs) where our != their { Issue.record("\(our)\n\(their)") }
    }
}
