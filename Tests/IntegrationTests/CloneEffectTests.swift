import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// Clones of a primary whose settings would make something else than a standby of the copy.
@Suite(.disabled(if: isStock)) struct CloneEffectTests {
    /// A directory of programs whose pg_ctl does something first; `$2` is the data directory.
    private func programs(_ installation: PostgresInstallation, before script: String) throws -> String {
        let directory = try TestDirectory.make("bin", mode: 0o755)
        // Not written by this process: a child started meanwhile would hold it open, and it could not be executed.
        try Program.check(
            "/bin/sh", ["-c", "cat > \(directory)/pg_ctl && chmod 755 \(directory)/pg_ctl"],
            input: "#!/bin/sh\n\(script)\nexec \(installation.program("pg_ctl")) \"$@\"\n")
        try FileManager.default.createSymbolicLink(
            atPath: "\(directory)/psql", withDestinationPath: installation.program("psql"))
        return directory
    }

    private func start(_ primary: Cluster, _ target: String, _ programs: String) throws -> ProgramResult {
        try UnderstudyProgram.run(
            Command.clone.arguments(primary.connectionString(), target)
                + ["--start", "--standby-port", String(Port.free()), "--bin-dir", programs])
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `recovery targets that came along are taken back, and what else changes a standby is named`(
        installation: PostgresInstallation
    ) throws {
        let primary = try Cluster(installation)
        // A server that runs has read its settings already.
        try primary.append(
            ["recovery_target_time = '2020-01-01'", "recovery_target_timeline = 'current'", "hot_standby = off"],
            to: "postgresql.auto.conf")
        try primary.makeForeignFile("more.conf", "RECOVERY_TARGET 'immediate'\nrecovery_min_apply_delay = '1ms'\n")
        try primary.append(["include_if_exists 'more.conf'", "archive_mode = always"], to: "postgresql.conf")
        let target = TestDirectory.freshPath("standby")
        let result = try start(primary, target, installation.programs)
        try #require(result.status == 0, "\(result)")
        let standby = try Cluster(running: target, installation)
        try primary.sql("CREATE TABLE later AS SELECT 1")
        try primary.waitForReplay(on: standby)
        #expect(try standby.holds("SELECT pg_is_in_recovery() AND to_regclass('later') IS NOT NULL"))
        #expect(try standby.sql("SHOW recovery_target_timeline") == "latest")
        for name in ["recovery_min_apply_delay", "archive_mode", "hot_standby"] {
            #expect(result.errorOutput.contains("warning: \"\(name)\" came along in \"\(target)/"), "\(result)")
        }
        #expect(result.errorOutput.contains("taken back: recovery_target, recovery_target_time\n"), "\(result)")
        #expect(
            result.errorOutput.contains("recovery_target_timeline that came along is replaced by latest\n"), "\(result)"
        )
    }

    @Test func `recovery targets are taken back where not all settings could be read`() throws {
        let primary = try Cluster(.newest)
        // The server reads a file of any size; here it is not looked for settings.
        let large = String(repeating: "# a comment\n", count: 100_000) + "recovery_target_time = '2020-01-01'\n"
        try primary.makeForeignFile("large.conf", large)
        try primary.append(["include 'large.conf'"], to: "postgresql.conf")
        let target = TestDirectory.freshPath("standby")
        let result = try start(primary, target, PostgresInstallation.newest.programs)
        try #require(result.status == 0, "\(result)")
        let standby = try Cluster(running: target, .newest)
        #expect(try standby.sql("SHOW recovery_target_time") == "")
        try primary.sql("CREATE TABLE later AS SELECT 1")
        try primary.waitForReplay(on: standby)
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `a clone by an ordinary role leaves no error in the primary's log`(
        installation: PostgresInstallation
    ) throws {
        let primary = try Cluster(installation)
        try primary.sql("CREATE ROLE r LOGIN REPLICATION")
        let target = TestDirectory.freshPath("standby")
        let result = try UnderstudyProgram.run(
            Command.clone.arguments(primary.connectionString(user: "r"), target) + ["-v"])
        #expect(result.status == 0, "\(result)")
        #expect(result.errorOutput.contains("GRANT pg_read_all_settings TO r;"), "\(result)")
        #expect(!primary.logText.contains("ERROR:") && !primary.logText.contains("FATAL:"), "\(primary.logText)")
    }

    @Test func `what is started is the copy, whatever data directory came along`() throws {
        let primary = try Cluster(.newest), other = try Cluster(.newest)
        try other.stop()
        try primary.append(["data_directory = '\(other.directory)'"], to: "postgresql.conf")
        let target = TestDirectory.freshPath("standby")
        let result = try start(primary, target, PostgresInstallation.newest.programs)
        try #require(result.status == 0, "\(result)")
        #expect(!FileTree.exists("\(other.directory)/postmaster.pid"))
        let standby = try Cluster(running: target, .newest)
        #expect(try standby.sql("SHOW data_directory") == target)
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `a signal ends a server that has not come so far as to tell of itself`(
        installation: PostgresInstallation
    ) throws {
        let primary = try Cluster(installation)
        // The server waits for somebody who writes to it.
        let pipe = TestDirectory.freshPath("pipe.conf")
        try #require(unsafe mkfifo(pipe, 0o644) == 0)
        try primary.append(["include '\(pipe)'"], to: "postgresql.conf")
        let target = TestDirectory.freshPath("standby")
        let program = try UnderstudyProgram.start(
            Command.clone.arguments(primary.connectionString(), target)
                + [
                    "--start", "--standby-port", String(Port.free()), "--bin-dir", installation.programs, "--wait",
                    "600",
                ])
        try eventually("the server: \(program.errorOutput)") { program.isRunning && Self.servers(target).count == 1 }
        program.send(SIGTERM)
        let result = program.wait()
        expectRefused(result, "interrupted by SIGTERM", hint: false)
        #expect(Self.servers(target) == [])
        #expect(!FileTree.exists(target))
    }

    @Test func `a standby that lets nobody in does not keep a signal from being obeyed`() throws {
        // It brought login triggers.
        try #require(PostgresInstallation.newest.major >= 17)
        let primary = try Cluster(.newest)
        // Who logs in to the standby waits in the trigger, before psql hears of it.
        try primary.sql(
            """
            CREATE FUNCTION wait() RETURNS event_trigger LANGUAGE plpgsql AS
            $$ BEGIN IF pg_is_in_recovery() THEN PERFORM pg_sleep(600); END IF; END $$;
            CREATE EVENT TRIGGER wait ON login EXECUTE FUNCTION wait();
            ALTER EVENT TRIGGER wait ENABLE ALWAYS
            """)
        let target = TestDirectory.freshPath("standby"), port = try Port.free()
        let program = try UnderstudyProgram.start(
            Command.clone.arguments(primary.connectionString(), target) + [
                "--start", "--standby-port", String(port), "--bin-dir", PostgresInstallation.newest.programs, "--wait",
                "600",
            ])
        try eventually("a login: \(program.errorOutput)") {
            let log = (try? FileTree.text("\(target).start.log")) ?? ""
            return program.isRunning && log.contains("ready to accept")
                && !Self.processes {
                    $0.first?.hasSuffix("psql") ?? false && $0.contains { $0.contains("port=\(port) ") }
                }
                .isEmpty
        }
        program.send(SIGTERM)
        expectRefused(program.wait(), "interrupted by SIGTERM", hint: false)
        #expect(Self.servers(target) == [])
        #expect(!FileTree.exists(target))
    }

    /// The processes that were started as servers of a directory.
    private static func servers(_ directory: String) -> [String] {
        processes { $0.first?.hasSuffix("/postgres") ?? false && $0.contains(directory) }
    }

    /// The numbers of the processes whose command lines fit.
    private static func processes(_ fits: ([String]) -> Bool) -> [String] {
        FileTree.names("/proc").filter { process in
            guard process.allSatisfy(\.isNumber), let bytes = try? FileTree.bytes("/proc/\(process)/cmdline") else {
                return false
            }
            return fits(bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) })
        }
    }

    @Test func `basebackup -R names them all, and changes none`() throws {
        let primary = try Cluster(.newest)
        let lines = [
            "recovery_target_xid = '7'", "recovery_target_timeline = 'current'", "hot_standby = off",
            "restore_command = 'false'",
        ]
        try primary.append(lines, to: "postgresql.auto.conf")
        let target = TestDirectory.freshPath("backup")
        let result = try basebackup(primary, to: target, ["-R"])
        #expect(result.status == 0, "\(result)")
        let text = try FileTree.text("\(target)/postgresql.auto.conf")
        for line in lines {
            let name = line.prefix { $0 != " " }
            #expect(result.errorOutput.contains("warning: \"\(name)\" came along"), "\(result)")
            #expect(text.split(separator: "\n").filter { $0.hasPrefix(name) } == [line[...]])
        }
        #expect(text.split(separator: "\n").count { $0.hasPrefix("recovery_target") } == 2)
    }

    @Test(arguments: PostgresInstallation.outermost, ["on", "off"])
    func `a server that left recovery is stopped, and that is an error`(
        installation: PostgresInstallation, hotStandby: String
    ) throws {
        let primary = try Cluster(installation)
        let target = TestDirectory.freshPath("standby")
        let programs = try programs(
            installation,
            before: """
                test -f "$2/postgresql.auto.conf" || exec \(installation.program("pg_ctl")) "$@"
                sed -i /^recovery_target/d "$2/postgresql.auto.conf"
                printf "hot_standby = \(hotStandby)\\nrecovery_target = 'immediate'\\n" >> "$2/postgresql.auto.conf"
                echo "recovery_target_action = 'promote'" >> "$2/postgresql.auto.conf"
                """)
        let result = try start(primary, target, programs)
        expectRefused(result, "is not in recovery", "It was stopped", "\(target).start.log")
        #expect(!FileTree.exists("\(target)/postmaster.pid"))
        #expect(FileTree.exists("\(target)/PG_VERSION"))
    }

    @Test func `a standby whose replay has paused is an error, and left running`() throws {
        let primary = try Cluster(.newest)
        let target = TestDirectory.freshPath("standby")
        let programs = try programs(
            .newest,
            before: """
                test -f "$2/postgresql.auto.conf" && sed -i /^recovery_target/d "$2/postgresql.auto.conf"
                test -f "$2/postgresql.auto.conf" && echo "recovery_target = 'immediate'" >> "$2/postgresql.auto.conf"
                """)
        let result = try start(primary, target, programs)
        let standby = try Cluster(running: target, .newest)
        expectRefused(result, "has paused its replay")
        #expect(try standby.holds("SELECT pg_is_wal_replay_paused()"))
    }

    @Test func `the server finds nothing of our environment but what it needs`() throws {
        let primary = try Cluster(.newest)
        let target = TestDirectory.freshPath("standby")
        let seen = TestDirectory.freshPath("environment")
        let programs = try programs(.newest, before: "env >> \(seen); env >> \(seen).\"$#\"")
        let result = try UnderstudyProgram.run(
            Command.clone.arguments(primary.connectionString(), target)
                + ["--start", "--standby-port", String(Port.free()), "--bin-dir", programs],
            environment: ["PGPASSWORD": "secret", "PGAPPNAME": "ours", "CREDENTIALS": "secret", "TZ": "UTC"])
        try #require(result.status == 0, "\(result)")
        let standby = try Cluster(running: target, .newest)
        let names = Set(try FileTree.text(seen).split(separator: "\n").map { String($0.prefix { $0 != "=" }) })
        // The shell of the script sets some of its own.
        #expect(
            names.subtracting(["PWD", "OLDPWD", "SHLVL", "_"]).isSubset(of: [
                "PATH", "HOME", "LC_ALL", "LANG", "TZ", "SHELL", "USER", "LOGNAME",
            ]), "\(names)")
        #expect(names.isSuperset(of: ["PATH", "HOME", "LC_ALL", "TZ"]))
        // Once to tell its version, and once to start.
        #expect(FileTree.exists("\(seen).1"))
        #expect(try standby.holds("SELECT pg_is_in_recovery()"))
    }
}
