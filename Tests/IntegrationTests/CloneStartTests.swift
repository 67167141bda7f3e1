import Foundation
import Testing
import UnderstudyTestSupport

/// How a standby is started, asked and given settings.
@Suite(.disabled(if: isStock)) struct CloneStartTests {
    /// A primary that is quiet, and lets its superuser in as Debian does, and a role for replication alone.
    private func primary(_ installation: PostgresInstallation) throws -> Cluster {
        var options = Cluster.Options()
        options.hostBasedAuthentication = ["host replication r 127.0.0.1/32 trust"]
        let primary = try Cluster(installation, options)
        try primary.sql("CREATE ROLE r LOGIN REPLICATION")
        return primary
    }

    private func clone(_ primary: Cluster, _ target: String, _ more: [String]) throws -> ProgramResult {
        try UnderstudyProgram.run(
            Command.clone.arguments(primary.connectionString(user: "r"), target)
                + ["--start", "--bin-dir", primary.installation.programs, "--wait", "60"] + more)
    }

    private func failures(_ log: String) -> [Substring] {
        log.split(separator: "\n").filter { $0.contains("FATAL:") || $0.contains("ERROR:") }
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `the start of a standby of a quiet primary leaves no failure in either log`(
        installation: PostgresInstallation
    ) throws {
        let primary = try primary(installation), target = TestDirectory.freshPath("standby")
        let result = try clone(primary, target, ["--standby-port", String(Port.free())])
        try #require(result.status == 0, "\(result)")
        #expect(try failures(FileTree.text("\(target).start.log")) == [])
        // The role may connect to no database: that is found out once.
        #expect(failures(primary.logText).count <= 1, "\(primary.logText)")
        #expect(!FileTree.exists("\(target)/start.log"))
        _ = try Cluster(running: target, installation)
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `a standby that lets nobody in is known to stream by what the primary says`(
        installation: PostgresInstallation
    ) throws {
        var options = Cluster.Options()
        options.hostBasedAuthentication = ["host all r 127.0.0.1/32 trust", "host replication r 127.0.0.1/32 trust"]
        let primary = try Cluster(installation, options)
        try primary.sql("CREATE ROLE r LOGIN REPLICATION")
        let rules = TestDirectory.freshPath("hba.conf"), target = TestDirectory.freshPath("standby")
        try "local all all scram-sha-256\n".write(toFile: rules, atomically: false, encoding: .utf8)
        // Nor does the log tell of the stream.
        let result = try clone(
            primary, target,
            [
                "--standby-port", String(Port.free()), "--set", "hba_file=\(rules)", "--set", "log_min_messages=fatal",
                "--set", "update_process_title=off",
            ])
        try #require(result.status == 0, "\(result)")
        #expect(try failures(FileTree.text("\(target).start.log")).count <= 1)
        #expect(failures(primary.logText) == [], "\(primary.logText)")
        try Program.check(
            installation.program("pg_ctl"), ["-D", target, "-m", "immediate", "-w", "-s", "stop"])
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `what failed is shown first, with its hint, and where the log is`(
        installation: PostgresInstallation
    ) throws {
        let primary = try primary(installation), target = TestDirectory.freshPath("standby")
        let log = TestDirectory.freshPath("the standby's log")
        let result = try clone(
            primary, target,
            ["--standby-port", String(Port.free()), "--set", "shared_preload_libraries=none of it", "--log", log])
        expectRefused(
            result, "could not start the standby in \"\(target)\"",
            "detail: The server says: FATAL:  could not access file \"none of it\"", "The server's log is \"\(log)\"")
        // Of a faulty setting the FATAL says little; what says it stands before.
        expectRefused(
            try clone(
                primary, TestDirectory.freshPath("standby"),
                ["--standby-port", String(Port.free()), "--set", "work_mem=nonsense"]),
            "LOG:  invalid value for parameter \"work_mem\": \"nonsense\" FATAL:  configuration file")
        #expect(!FileTree.exists("\(target).start.log") && FileTree.exists(log))
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `a port in use is found before the copy`(installation: PostgresInstallation) throws {
        let primary = try primary(installation), parent = try TestDirectory.make("parent")
        let target = "\(parent)/standby"
        let used = "could not listen on 127.0.0.1, port \(primary.port): a server does already"
        // Without a port of its own, and as --port once meant another one.
        for more in [[], ["--port", "\(primary.port)"]] {
            let result = try clone(primary, target, more)
            expectRefused(result, used, "Give the standby a port of its own: --standby-port")
            #expect(more.isEmpty || result.errorOutput.contains("is the primary's port"), "\(result)")
        }
        let file = TestDirectory.freshPath("postgresql.conf")
        try "port = \(primary.port)\nlisten_addresses = '127.0.0.1'\n".write(
            toFile: file, atomically: false, encoding: .utf8)
        expectRefused(try clone(primary, target, ["--config-file", file]), used)
        #expect(FileTree.names(parent) == [])
        try primary.expectReleased()
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `settings arrive as they were given`(installation: PostgresInstallation) throws {
        let primary = try primary(installation), target = TestDirectory.freshPath("standby")
        let command = #"cp '/no such\archive/%f' "%p" # it's"#, name = #"it's a "\ name""#
        let result = try clone(
            primary, target,
            [
                "--standby-port", String(Port.free()), "--restore-command", command, "--set", "cluster_name=\(name)",
                "--set", "search_path=a,b", "--set", "Work_Mem=5MB",
            ] + (Account.isRoot ? ["--owner", "postgres"] : []))
        try #require(result.status == 0, "\(result)")
        let standby = try Cluster(running: target, installation)
        #expect(try standby.sql("SHOW cluster_name") == name)
        #expect(try standby.sql("SHOW restore_command") == command)
        #expect(try standby.sql("SHOW search_path") == "a,b")
        #expect(try standby.sql("SHOW work_mem") == "5MB")
        let other = TestDirectory.freshPath("other")
        expectRefused(
            try clone(primary, other, ["--log", "\(other)/no/log"]), "Name a file in a directory that exists: --log")
        #expect(!FileTree.exists(other))
        for name in ["a$b", "a\"b", "a`b"] {
            let other = TestDirectory.freshPath(name)
            expectRefused(
                try clone(primary, other, []), "has a character in its name with which pg_ctl starts no server")
            #expect(!FileTree.exists(other))
        }
        for (setting, said) in [
            ("port=1", "cannot be set on its own"), ("primary_conninfo=", "cannot be set on its own"),
            ("a b=1", "is not the name of a setting"), ("restore_command=x", "restore_command is given twice"),
            ("hot_standby=off", "answers no queries"),
            ("max_connections=39", "max_connections would be 39 for the standby, and is 40 on the primary"),
        ] {
            let other = TestDirectory.freshPath("other")
            expectRefused(try clone(primary, other, ["--restore-command", "x", "--set", setting]), said)
            #expect(!FileTree.exists(other))
        }
    }

    @Test func `a directory in which no server would start is refused before the copy`() throws {
        let primary = try Cluster(.newest), parent = try TestDirectory.make("volumes", mode: 0o755)
        // As a volume comes, for the group alone; the second one is a file system that is new.
        let volume = "\(parent)/volume", mount = "\(parent)/mount"
        try TestDirectory.make(at: mount, mode: 0o755)
        try TestDirectory.make(at: "\(mount)/lost+found")
        if Account.isRoot {
            try Program.check(
                "/bin/sh", ["-c", "mkdir -m 2777 '\(volume)' && chown root '\(volume)'"], asCaller: true)
            let refused = try clone(primary, volume, [])
            expectRefused(
                refused,
                "directory \"\(volume)\" belongs to user \"root\", so no server of \"postgres\" would start in it",
                "chown postgres \(volume)")
            #expect(FileTree.names(volume) == [])
        }
        expectRefused(try clone(primary, mount, []), "name a directory below it, such as \"\(mount)/data\"")
        #expect(FileTree.names(mount) == ["lost+found"])
    }
}
