import Foundation
import Testing
import UnderstudyTestSupport

/// Directories that `configure` makes standbys, or sets to recover, and the servers that start in them.
@Suite(.disabled(if: isStock)) struct ConfigureTests {
    private func configure(
        _ directory: String, _ arguments: [String], _ environment: [String: String] = [:]
    ) throws -> ProgramResult {
        try UnderstudyProgram.run(["configure", "-D", directory] + arguments, environment: environment)
    }

    /// A backup of a primary, in which nothing is configured yet.
    private func backup(of primary: Cluster, _ arguments: [String] = []) throws -> String {
        let target = TestDirectory.freshPath("configured")
        let result = try UnderstudyProgram.run(
            ["basebackup", "-d", primary.connectionString(), "-D", target, "-c", "fast", "-N"] + arguments)
        try #require(result.status == 0, "\(result)")
        return target
    }

    private static let odd = #"it's a "test" of \n %p %% back\slash, é and  = # spaces "#
    private static let password = #"p'q\r "s" =%&é"#

    @Test(arguments: PostgresInstallation.outermost)
    func `odd values come back from the server, and a password with quotes logs it in`(
        installation: PostgresInstallation
    ) throws {
        var options = Cluster.Options()
        options.hostBasedAuthentication = [
            "host replication odd 127.0.0.1/32 scram-sha-256", "host all,replication postgres 127.0.0.1/32 trust",
        ]
        let primary = try Cluster(installation, options)
        try primary.sql("SELECT pg_create_physical_replication_slot('odd1')")
        try primary.makeReplicationRole("odd", password: Self.password)
        let target = try backup(of: primary), port = try Port.free()
        // Another file has a target at which a standby would stop.
        try Program.check(
            "/bin/sh",
            ["-c", "printf \"# mine\\nrecovery_target_name = 'x'\\n\" >>'\(target)/postgresql.conf'"])
        let auto = "\(target)/postgresql.auto.conf"
        try Program.check("/bin/sh", ["-c", "printf '# caf\\351\\nwork_mem = 5MB' >>'\(auto)'; chmod 640 '\(auto)'"])
        let before = try FileTree.bytes(auto)

        let values = [
            "cluster_name": "it's % back\\slash # 1",
            "archive_cleanup_command": "clean %r; \(Self.odd.replacing("%p", with: "%r"))",
            "recovery_end_command": Self.odd, "restore_command": "false \(Self.odd)", "x.y": Self.odd + "\t\u{1F418}",
        ]
        let login = "host=127.0.0.1 port=\(primary.port) user=odd application_name='a b'"
        let arguments =
            [
                "--primary", login, "--slot", "odd1", "--standby-port", "\(port)",
                "--restore-command", values["restore_command"]!, "--archive-cleanup-command",
                values["archive_cleanup_command"]!, "--recovery-end-command", values["recovery_end_command"]!,
                "--recovery-min-apply-delay", "0", "--set", "cluster_name=\(values["cluster_name"]!)", "--set",
                "x.y=\(values["x.y"]!)",
            ] + (installation.major < 16 ? ["--trigger-file", "/nowhere/it's"] : [])
        let environment = ["PGPASSWORD": Self.password]
        let dry = try configure(target, arguments + ["--dry-run"], environment)
        #expect(dry.status == 0 && dry.output.contains("+primary_slot_name = 'odd1'\n"), "\(dry)")
        #expect(dry.output.contains("********") && !dry.output.contains("p''q"), "\(dry)")
        #expect(try FileTree.bytes(auto) == before && !FileTree.exists("\(target)/standby.signal"))

        let result = try configure(target, arguments, environment)
        try #require(result.status == 0, "\(result)")
        let written = try FileTree.bytes(auto)
        #expect(written.starts(with: before + [UInt8(ascii: "\n")]), "all that was there is there")
        #expect(try FileTree.mode(auto) == 0o640)
        let again = try configure(target, arguments, environment)
        #expect(again.status == 0 && again.output.contains("nothing was changed"), "\(again)")
        #expect(try FileTree.bytes(auto) == written)

        try Program.check(
            installation.program("pg_ctl"), ["start", "-w", "-s", "-D", target, "-l", "\(target).log"])
        let standby = try Cluster(running: target, installation)
        #expect(standby.port == port)
        for (name, value) in values { #expect(try standby.sql("SHOW \(name)") == value) }
        if installation.major < 16 { #expect(try standby.sql("SHOW promote_trigger_file") == "/nowhere/it's") }
        #expect(try standby.sql("SHOW recovery_target_name") == "")
        try primary.sql("CREATE TABLE t AS SELECT 1 AS n")
        try primary.waitForReplay(on: standby)
        #expect(
            try primary.sql(
                "SELECT usename, application_name, slot_name FROM pg_stat_replication JOIN pg_replication_slots ON pid = active_pid"
            )
                == "odd|a b|odd1")

        let refused = try configure(target, ["--mode", "standby"])
        expectRefused(refused, "a server runs in directory \"\(target)\"")
        #expect(try FileTree.bytes(auto) == written)
        // What ALTER SYSTEM writes of it, it reads again.
        try standby.sql("ALTER SYSTEM SET work_mem = '6MB'")
        try standby.restart()
        for (name, value) in values { #expect(try standby.sql("SHOW \(name)") == value) }
        try primary.waitForReplay(on: standby)
    }

    @Test func `a recovery stops at the restore point, and not behind it`() throws {
        let primary = try Cluster(.newest)
        let target = try backup(of: primary, ["-X", "none"]), point = #"before "the" upgrade's end"#
        try primary.sql("CREATE TABLE t AS SELECT 1 AS n")
        try primary.sql("SELECT pg_create_restore_point('\(point.replacing("'", with: "''"))')")
        try primary.sql("INSERT INTO t VALUES (2)")
        try primary.sql("SELECT pg_switch_wal()")
        let archive = try WALArchive()
        try Program.check("/bin/sh", ["-c", "cp '\(primary.directory)'/pg_wal/0* '\(archive.path)/'"])

        let arguments = ["--recovery-target-name", point, "--recovery-target-action", "promote"]
        expectRefused(try configure(target, arguments), "a recovery needs an archive", "--archive DIRECTORY")
        #expect(!FileTree.exists("\(target)/recovery.signal"))
        let port = try Port.free()
        let first = try configure(
            target, ["--archive", archive.path, "--recovery-target-immediate", "--standby-port", "\(port)"])
        #expect(first.status == 0, "\(first)")
        // The new target replaces the one before.
        let result = try configure(target, arguments)
        #expect(result.status == 0 && result.output.contains("is set to recover"), "\(result)")
        #expect(try !FileTree.text("\(target)/postgresql.auto.conf").contains("immediate"))
        try Program.check(
            primary.installation.program("pg_ctl"), ["start", "-w", "-s", "-D", target, "-l", "\(target).log"])
        let restored = try Cluster(running: target, primary.installation)
        try eventually("the end of recovery") { try restored.holds("SELECT NOT pg_is_in_recovery()") }
        #expect(try restored.sql("SELECT n FROM t") == "1")
    }

    // MARK: - Refusals

    /// A directory that has what tells it from others, of some version.
    private func directory(_ version: String) throws -> String {
        let path = try TestDirectory.make("data")
        try TestDirectory.make(at: "\(path)/global")
        try TestDirectory.write("", to: "\(path)/global/pg_control")
        try TestDirectory.write("\(version)\n", to: "\(path)/PG_VERSION")
        return path
    }

    @Test(arguments: ["9.2", "20", "8", "x"])
    func `a version that is not known is refused`(version: String) throws {
        let path = try directory(version), before = FileTree.snapshot(path)
        expectRefused(try configure(path, ["-h", "a"]), "is of version \(version), which is not known")
        #expect(FileTree.snapshot(path) == before)
    }

    @Test func `old versions have their files, with the mode of the directory`() throws {
        let old = try directory("9.3"), arguments = ["-h", "a", "-U", "r", "--trigger-file", "/t"]
        expectRefused(try configure(old, arguments), "has no postgresql.conf", "--config-file")
        #expect(FileTree.names(old) == ["PG_VERSION", "global"])
        try TestDirectory.write("# mine\nhot_standby = off\n", to: "\(old)/postgresql.conf", mode: 0o644)
        let result = try configure(old, arguments)
        #expect(result.status == 0, "\(result)")
        #expect(try FileTree.text("\(old)/recovery.conf").contains("primary_conninfo = 'host=a user=r'\n"))
        #expect(try FileTree.text("\(old)/postgresql.conf").hasPrefix("# mine\nhot_standby = off\n# What"))
        #expect(try FileTree.mode("\(old)/recovery.conf") == 0o600)
        #expect(try FileTree.mode("\(old)/postgresql.conf") == 0o644)
        #expect(try configure(old, arguments).output.contains("nothing was changed"))
        // A standby stays one, with its primary, where something else is set.
        let later = try configure(old, ["--restore-command", "cp x %p"])
        #expect(later.output.contains("is a standby"), "\(later)")
        #expect(try FileTree.text("\(old)/recovery.conf").contains("host=a user=r'\n"))
        expectRefused(try configure(old, ["-S", "s1"]), "has no replication slots")
    }

    @Test func `what is no data directory, or not whole, is refused`() throws {
        let empty = try TestDirectory.make("data")
        expectRefused(try configure(empty, ["-h", "a"]), "is no data directory")
        expectRefused(try configure("\(empty)/none", ["-h", "a"]), "could not open directory")
        let unfinished = try directory("15")
        try TestDirectory.write("", to: "\(unfinished)/pgsql_tmp.understudy")
        expectRefused(try configure(unfinished, ["-h", "a"]), "did not end")
        let both = try directory("15")
        try TestDirectory.write("", to: "\(both)/recovery.conf")
        expectRefused(try configure(both, ["-h", "a"]), "has a recovery.conf")
        let linked = try directory("15")
        try Program.check("/bin/ln", ["-s", "/etc/hostname", "\(linked)/postgresql.auto.conf"])
        expectRefused(try configure(linked, ["-h", "a"]), "is no regular file")
    }

    @Test func `where a file cannot be made, those before it are as they were`() throws {
        let path = try directory("15")
        try TestDirectory.write("work_mem = '5MB'\n", to: "\(path)/postgresql.auto.conf")
        // The name under which the signal file would be made first.
        try TestDirectory.make(at: "\(path)/standby.signal.tmp")
        try TestDirectory.write("", to: "\(path)/standby.signal.tmp/x")
        let before = FileTree.snapshot(path), passfile = TestDirectory.freshPath("passfile")
        let result = try configure(path, ["-d", "host=a password=secret", "--passfile", passfile])
        expectRefused(result, "standby.signal.tmp", "The files are as they were.", hint: false)
        #expect(FileTree.snapshot(path) == before && !FileTree.exists(passfile))
    }

    @Test func `the password goes into a file of its own, once`() throws {
        let path = try directory("15"), passfile = TestDirectory.freshPath("pass file")
        let arguments = ["-d", "host=a,b port=1 user='o:r' password='se cret'", "--passfile", passfile]
        for _ in 1...2 {
            let result = try configure(path, arguments)
            #expect(result.status == 0, "\(result)")
            #expect(try FileTree.text(passfile) == "a:1:replication:o\\:r:se cret\nb:1:replication:o\\:r:se cret\n")
        }
        #expect(try FileTree.mode(passfile) == 0o600)
        let text = try FileTree.text("\(path)/postgresql.auto.conf")
        #expect(!text.contains("cret") && text.contains("passfile=''\(passfile)''"), "\(text)")
        expectRefused(try configure(path, ["-h", "a", "--passfile", passfile]), "there is no password")
    }

    @Test func `a new password replaces the old one in the file`() throws {
        let path = try directory("15"), passfile = TestDirectory.freshPath("passfile")
        for password in ["old", "new"] {
            let result = try configure(path, ["-d", "host=a user=r password=\(password)", "--passfile", passfile])
            #expect(result.status == 0, "\(result)")
            #expect(try FileTree.text(passfile) == "a:5432:replication:r:\(password)\n")
        }
    }

    @Test(arguments: ["9.3", "15"])
    func `what is not given of the connection stays, or is named`(version: String) throws {
        let path = try directory(version)
        if version == "9.3" { try TestDirectory.write("", to: "\(path)/postgresql.conf") }
        let file = "\(path)/\(version == "9.3" ? "recovery.conf" : "postgresql.auto.conf")"
        func expect(_ conninfo: String, _ arguments: [String], said: String? = nil) throws {
            let result = try configure(path, arguments)
            #expect(result.status == 0, "\(result)")
            #expect(try FileTree.text(file).contains("primary_conninfo = '\(conninfo)'"), "\(arguments)")
            #expect(result.errorOutput.contains("which had it before") == (said != nil), "\(result)")
            if let said { #expect(result.errorOutput.contains("before: \(said)"), "\(result)") }
        }
        try expect(
            "user=r password=p host=a port=5433 sslmode=require",
            ["-d", "host=a port=5433 user=r password=p sslmode=require"])
        try expect("user=r password=p host=b port=5433 sslmode=require", ["-h", "b"])
        try expect("user=r password=p host=b port=5434 sslmode=require", ["-p", "5434"])
        try expect("user=s host=b port=5434 sslmode=require", ["-U", "s"], said: "password")
        try expect("user=s password=q host=b port=5434", ["-d", "host=b port=5434 user=s password=q"], said: "sslmode")
        try expect("user=s host=c password=q", ["-d", "host=c user=s"], said: "port")
    }

    @Test func `keywords of a newer libpq are for the server of that version`() throws {
        let path = try directory("18")
        let result = try configure(path, ["-d", "host=a require_auth=scram-sha-256 min_protocol_version=3.2"])
        #expect(result.status == 0, "\(result)")
        let text = try FileTree.text("\(path)/postgresql.auto.conf")
        #expect(text.contains("min_protocol_version=3.2") && text.contains("require_auth=''scram-sha-256''"), "\(text)")
        expectRefused(try configure(path, ["-d", "host=a no_such=1"]), "no_such", hint: false)
    }

    @Test(arguments: [
        (["--set", "port=abc"], "\"port\" cannot be set on its own"),
        (["--set", "Primary_ConnInfo=x"], "cannot be set on its own"),
        (["--set", "restore_command=x"], "cannot be set on its own"),
        (["--recovery-target-time", "2026-13-45"], "\"2026-13-45\" cannot be a recovery target"),
    ])
    func `what no server would start with is refused`(arguments: [String], words: String) throws {
        let path = try directory("15"), before = FileTree.snapshot(path)
        let others = arguments.contains("restore_command=x") ? [] : ["--restore-command", "cp x %p"]
        expectRefused(try configure(path, ["--mode", "recovery"] + others + arguments), words, hint: false)
        #expect(FileTree.snapshot(path) == before)
    }

    @Test(.enabled(if: Account.isRoot, "needs root"))
    func `run by root, the files belong to whom the directory does`() throws {
        let path = try directory("15")
        try TestDirectory.write("work_mem = '5MB'\n", to: "\(path)/postgresql.auto.conf")
        let result = try Program.run(
            UnderstudyProgram.path, ["configure", "-D", path, "-h", "a"], environment: UnderstudyProgram.environment,
            asCaller: true)
        #expect(result.status == 0, "\(result)")
        let owner = try Program.check("/usr/bin/stat", ["-c", "%u:%g", path]).output
        for name in ["postgresql.auto.conf", "standby.signal"] {
            #expect(try Program.check("/usr/bin/stat", ["-c", "%u:%g", "\(path)/\(name)"]).output == owner)
        }
    }
}
