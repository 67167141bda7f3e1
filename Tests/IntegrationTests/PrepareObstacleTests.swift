import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// `understudy prepare` where something is in the way: nothing is half-changed, and what is left to do is said.
@Suite(.disabled(if: isStock)) struct PrepareObstacleTests {
    private struct Primary {
        let cluster: Cluster
        let rules: String
        /// The rules that it was made with.
        let usual: String

        init() throws {
            var options = Cluster.Options()
            options.settings = ["max_wal_senders = 2"]
            options.hostBasedAuthentication = ["host all all 127.0.0.1/32 trust"]
            cluster = try Cluster(.newest, options)
            rules = "\(cluster.directory)/pg_hba.conf"
            usual = try FileTree.text(rules)
        }

        func prepare(
            _ arguments: [String] = ["--standby", "10.0.0.7"], user: String = "postgres"
        ) throws -> ProgramResult {
            try start(arguments, user: user).wait()
        }

        func start(_ arguments: [String], user: String = "postgres") throws -> Program {
            try UnderstudyProgram.start(
                ["prepare", "--primary", cluster.connectionString(user: user), "-w"] + arguments,
                environment: ["UNDERSTUDY_ROLE_PASSWORD": "secret"])
        }

        func write(_ text: String) throws { try TestDirectory.write(text, to: rules) }

        func expectUntouched(sourceLocation: SourceLocation = #_sourceLocation) throws {
            #expect(
                try cluster.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'replicator'") == "0",
                sourceLocation: sourceLocation)
            #expect(
                FileTree.names(cluster.directory).filter { $0.contains("pg_hba") } == ["pg_hba.conf"],
                sourceLocation: sourceLocation)
            #expect(
                !(try FileTree.text("\(cluster.directory)/postgresql.auto.conf").contains("wal_senders")),
                sourceLocation: sourceLocation)
        }
    }

    @Test func `all that may be in the way`() throws {
        let primary = try Primary()
        try refusesWithoutRights(primary)
        try refusesFaults(primary)
        try refusesOddNames(primary)
        try refusesFilesOfOthers(primary)
        try tellsWhatWasDone(primary)
        try leavesToTheUserFromAfar(primary)
        try findsWhatCatchesFirst(primary)
        try editsFiles(primary)
        try takesTurns(primary)
        try saysWhatMendsAServerThatIsDown(primary)
    }

    private func refusesWithoutRights(_ primary: Primary) throws {
        try primary.cluster.sql("CREATE ROLE plain LOGIN")
        let result = try primary.prepare(user: "plain")
        expectRefused(
            result, "role \"plain\" may not prepare the primary", "To create role \"replicator\" takes a superuser",
            "CREATE ROLE replicator WITH LOGIN REPLICATION;", "\\password replicator",
            "ALTER SYSTEM SET max_wal_senders = 10;", "host  replication  replicator  10.0.0.7/32  scram-sha-256",
            "SELECT pg_reload_conf();")
        #expect(!result.errorOutput.contains("SCRAM"))
        try primary.expectUntouched()
    }

    private func refusesFaults(_ primary: Primary) throws {
        try primary.write(primary.usual + "hosts all all all trust\n")
        expectRefused(try primary.prepare(), "has an error in line 3", "invalid connection type", "Nothing was changed")
        // What a server reads of this depends on its version.
        try primary.write(primary.usual + "# a\0b\n")
        expectRefused(try primary.prepare(), "has a zero byte in line 3", "Nothing was changed")
        try primary.write(primary.usual)
        try primary.expectUntouched()
    }

    private func refusesOddNames(_ primary: Primary) throws {
        let standby = ["--standby", "10.0.0.7"]
        expectRefused(try primary.prepare(standby + ["--role", "/r"]), "does not begin with a slash")
        expectRefused(try primary.prepare(standby + ["--role", ""]), "is no role name")
        expectRefused(
            try primary.prepare(standby + ["--role", String(repeating: "r", count: 64)]), "is too long: it has 64 bytes"
        )
        for address in ["10.0.0", "10.0.0.0/40", "all", "ALL", "", "a b", "::g"] {
            expectRefused(try primary.prepare(["--standby", address]), "is no address of a standby")
        }
        for addresses in ["", " ", "localhost\n", "a'b"] {
            expectRefused(
                try primary.prepare(standby + ["--listen-addresses", addresses]), "no list of addresses to listen on")
        }
        expectRefused(
            try primary.prepare(standby + ["--max-wal-senders", "262140"]),
            "max_wal_senders of the primary cannot become")
        // A name that the server refuses, as the first step.
        expectRefused(
            try primary.prepare(standby + ["--role", "pg_replicator"]), "could not create role", "Nothing was changed",
            "run this again")
        try primary.expectUntouched()
    }

    private func refusesFilesOfOthers(_ primary: Primary) throws {
        guard Account.isRoot else { return }
        try Program.check("/bin/chown", ["root", primary.rules], asCaller: true)
        try Program.check("/bin/chmod", ["644", primary.rules], asCaller: true)
        expectRefused(
            try primary.prepare(), "belongs to user \"root\"", "Nothing was changed",
            "host  replication  replicator  10.0.0.7/32  scram-sha-256")
        try Program.check("/bin/chown", ["postgres", primary.rules], asCaller: true)
        try Program.check("/bin/chmod", ["600", primary.rules], asCaller: true)
        try primary.expectUntouched()
    }

    /// The third of three steps fails.
    private func tellsWhatWasDone(_ primary: Primary) throws {
        let obstacle = "\(primary.cluster.directory)/.pg_hba.conf.understudy"
        try TestDirectory.make(at: obstacle)
        let result = try primary.prepare()
        expectRefused(
            result, "could not let the standby in",
            "Done before: create role \"replicator\"; set max_wal_senders to 10",
            "To take back what was done", "ALTER SYSTEM RESET max_wal_senders;", "DROP ROLE replicator;")
        TestDirectory.removeTree(obstacle)
        #expect(try FileTree.text(primary.rules) == primary.usual)
        for line in ["ALTER SYSTEM RESET max_wal_senders", "DROP ROLE replicator"] { try primary.cluster.sql(line) }
        try primary.expectUntouched()
    }

    /// A user who sees nothing of the server's files.
    private func leavesToTheUserFromAfar(_ primary: Primary) throws {
        guard Account.isRoot else { return }
        func far(_ more: [String]) throws -> ProgramResult {
            try Program.run(
                "/usr/bin/setpriv",
                [
                    "--reuid=65534", "--regid=65534", "--clear-groups", "--", UnderstudyProgram.path, "prepare",
                    "--primary",
                    primary.cluster.connectionString(), "-w", "--standby", "10.0.0.7",
                ] + more,
                environment: UnderstudyProgram.environment.merging(["UNDERSTUDY_ROLE_PASSWORD": "secret"]) { $1 },
                asCaller: true)
        }
        let refused = try far(["--restart"])
        expectRefused(refused, "cannot be restarted from here")
        try primary.expectUntouched()
        let result = try far([])
        let line = "host  replication  replicator  10.0.0.7/32  scram-sha-256"
        #expect(result.status == 0, "\(result)")
        #expect(
            result.output.contains("done: create role \"replicator\"")
                && result.output.contains("left to you: let the standby in"), "\(result)")
        #expect(
            result.output.contains("    in \"\(primary.rules)\" on the primary, at the end:\n    \(line)\n"),
            "\(result)")
        #expect(try FileTree.text(primary.rules) == primary.usual)
        // Once the line is there, it is seen from afar, too.
        try primary.write(primary.usual + "host replication +replicator 10.0.0.0/24 md5\n")
        let again = try far([])
        #expect(again.output.contains("nothing to change"), "\(again)")
        try primary.write(primary.usual)
    }

    private func findsWhatCatchesFirst(_ primary: Primary) throws {
        let line = "host  replication  replicator  10.0.0.7/32  scram-sha-256\n"
        try TestDirectory.make(at: "\(primary.cluster.directory)/rules.d")
        try TestDirectory.write(
            "host replication replicator 10.0.0.0/8 reject\n", to: "\(primary.cluster.directory)/rules.d/a.conf")
        for catching in [
            "include_dir rules.d", "host replication +replicator 10.0.0.0/24 trust",
            "host replication \"/^repl\" all reject", "host replication all db.example.com reject",
        ] {
            try primary.write("\(primary.usual)# a\n\(catching)\nhost replication all all md5\n")
            let result = try primary.prepare()
            #expect(result.status == 0, "\(result)")
            let expected = "\(primary.usual)# a\n\(line)\(catching)\nhost replication all all md5\n"
            #expect(try FileTree.text(primary.rules) == expected, "\(catching)")
        }
        // What does not match is passed by.
        let others = """
            host replication +pg_monitor all reject
            host replication "/^x" all reject
            hostssl replication all all reject
            host all all all reject

            """
        try primary.write(primary.usual + others)
        _ = try primary.prepare()
        #expect(try FileTree.text(primary.rules) == primary.usual + others + line)
        // A name that has to be quoted everywhere, and several standbys.
        try primary.write(primary.usual)
        let odd = try primary.prepare(
            [
                "--role", #"My "Role", é"#, "--standby", "db2.example.com", "--standby", "fd00::/64", "--standby",
                "LOCAL",
            ])
        #expect(odd.status == 0, "\(odd)")
        let found = try primary.cluster.sql(
            "SELECT type, user_name[1], address FROM pg_hba_file_rules WHERE database = '{replication}' ORDER BY line_number"
        )
        #expect(
            found == #"host|My "Role", é|db2.example.com"# + "\n" + #"host|My "Role", é|fd00::"# + "\n"
                + #"local|My "Role", é|"#)
    }

    private func editsFiles(_ primary: Primary) throws {
        let file = "\(primary.cluster.directory)/postgresql.conf"
        expectRefused(
            try primary.prepare(["--edit-files", "--max-wal-senders", "20"]), "stands in postgresql.auto.conf",
            "ALTER SYSTEM RESET max_wal_senders;")
        try primary.cluster.sql("ALTER SYSTEM RESET ALL")
        let before = try FileTree.text(file)
        let result = try primary.prepare(["--edit-files", "--max-wal-senders", "20", "--wal-keep", "1GB"])
        #expect(result.status == 0, "\(result)")
        #expect(try FileTree.text("\(file).old") == before)
        let expected = before.replacing("max_wal_senders = 2\n", with: "max_wal_senders = '20'\n")
            .replacing("wal_keep_size = 256MB\n", with: "wal_keep_size = '1024MB'\n")
        #expect(try FileTree.text(file) == expected)
        #expect(try primary.cluster.sql("SHOW wal_keep_size") == "1GB")
        let again = try primary.prepare(["--edit-files", "--max-wal-senders", "20", "--wal-keep", "1GB"])
        #expect(again.output.contains("nothing to change"), "\(again)")
    }

    /// Runs at the same time lose none of their lines.
    private func takesTurns(_ primary: Primary) throws {
        try primary.write(primary.usual)
        let runs = try (1...3).map { try primary.start(["--standby", "10.20.0.\($0)"]) }
        for run in runs {
            let result = run.wait()
            #expect(result.status == 0, "\(result)")
        }
        let text = try FileTree.text(primary.rules)
        for number in 1...3 { #expect(text.contains("  10.20.0.\(number)/32  "), "\(text)") }
    }

    /// An address that is none of this machine.
    private func saysWhatMendsAServerThatIsDown(_ primary: Primary) throws {
        let file = "\(primary.cluster.directory)/postgresql.auto.conf", before = try FileTree.text(file)
        let restart = ["--restart", "--wait", "20s", "--bin-dir", primary.cluster.installation.programs]
        let result = try primary.prepare(["--listen-addresses", "203.0.113.1"] + restart)
        let line = "listen_addresses = '203.0.113.1'"
        expectRefused(
            result, "the restart failed", "in \"\(file)\": remove the line \(line)",
            "These settings came into effect with it: ", "start it with: ")
        #expect(!result.errorOutput.contains("ALTER SYSTEM") && !result.errorOutput.contains("pg_reload_conf"))
        let text = try FileTree.text(file)
        #expect(text != before && text.contains("\(line)\n"))
        try TestDirectory.write(text.replacing("\(line)\n", with: ""), to: file)
        try primary.cluster.start()
    }
}
