import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// Clusters as Debian makes them: the configuration is outside of the data directory, so a copy has none.
@Suite(.serialized, .disabled(if: isStock || !DebianCluster.isPossible, "needs root and Debian's pg_createcluster"))
struct DebianTests {
    @Test func `a clone without configuration files is refused before the copy, with both ways out`() throws {
        let debian = try DebianCluster()
        let target = TestDirectory.freshPath("standby")
        let result = try debian.clone(to: target, ["--start", "--standby-port", String(Port.free())])
        expectRefused(
            result, "the data directory of the primary has no postgresql.conf", "--config-file", "--generate-config")
        #expect(!FileTree.exists(target))
        try debian.cluster.expectReleased()
    }

    @Test(arguments: [true, false])
    func `from a primary that nobody prepared, the hints alone lead to a row on the standby`(asRoot: Bool) throws {
        let (debian, follower) = try unprepared(), target = TestDirectory.freshPath("standby"), port = try Port.free()
        var hints = follower
        _ = try hints.lead { more in
            try Program.run(
                UnderstudyProgram.path,
                [
                    "clone", "--primary", debian.cluster.connectionString(user: "replicator"), "-D", target, "--slot",
                    "standby1", "--start", "-w",
                ] + more, environment: UnderstudyProgram.environment.merging(["PGPASSWORD": "..."]) { $1 },
                asCaller: asRoot)
        } choose: { options in
            options.flatMap { option -> [String] in
                // A word after it may be the sentence's.
                switch option.components(separatedBy: " ")[0] {
                case "--generate-config": ["--generate-config"]
                case "--owner": ["--owner", "postgres"]
                case "--standby-port": ["--standby-port", "\(port)"]
                default: []
                }
            }
        }
        let standby = try Cluster(running: target, debian.cluster.installation)
        try debian.expectFollows(standby)
    }

    @Test func `a primary that nobody prepared is prepared and restarted, and a standby follows it`() throws {
        let debian = try DebianCluster(settings: ["wal_level = minimal", "max_wal_senders = 0"])
        let rules = "\(debian.configuration)/pg_hba.conf", before = try FileTree.text(rules)
        let login = "host=\(debian.cluster.socketDirectory) port=\(debian.cluster.port) user=postgres"
        func prepare() throws -> ProgramResult {
            try UnderstudyProgram.run(
                ["prepare", "--primary", login, "-w", "--standby", "192.0.2.7", "--restart"],
                environment: ["UNDERSTUDY_ROLE_PASSWORD": "secret"])
        }
        let result = try prepare()
        #expect(result.status == 0 && result.output.contains("done: restart the server\n"), "\(result)")
        #expect(try FileTree.text("\(rules).old") == before && FileTree.mode(rules) == 0o640)
        // initdb's lines are for this machine.
        let type = try debian.cluster.sql("SHOW ssl") == "on" ? "hostssl" : "host"
        #expect(
            try FileTree.text(rules) == before + "\(type)  replication  replicator  192.0.2.7/32  scram-sha-256\n")
        #expect(try debian.cluster.sql("SHOW wal_level") == "replica")
        let again = try prepare()
        #expect(again.output == "nothing to change: the primary is prepared\n", "\(again)")
        let target = TestDirectory.freshPath("standby")
        let copy = try debian.clone(
            to: target, ["--generate-config", "--start", "--standby-port", String(Port.free())], role: "replicator")
        try #require(copy.status == 0, "\(copy)")
        try debian.expectFollows(try Cluster(running: target, debian.cluster.installation))
    }

    @Test func `and to a backup and an archive`() throws {
        let (debian, follower) = try unprepared(), login = debian.cluster.connectionString(user: "replicator")
        let environment = UnderstudyProgram.environment.merging(["PGPASSWORD": "..."]) { $1 }
        var hints = follower
        _ = try hints.lead { _ in
            try UnderstudyProgram.run(
                ["receivewal", "-d", login, "-w", "--create-slot", "--slot", "archive1"], environment: environment)
        }
        let archive = try WALArchive()
        let receiver = try UnderstudyProgram.start(
            ["receivewal", "-d", login, "-w", "-D", archive.path, "--slot", "archive1"], environment: environment)
        try debian.cluster.waitForStream(receiver)
        let target = TestDirectory.freshPath("backup")
        let backup = try hints.lead { _ in
            try UnderstudyProgram.run(
                ["basebackup", "-d", login, "-w", "-D", target, "-c", "fast"], environment: environment)
        }
        #expect(backup.status == 0 && FileTree.exists("\(target)/backup_label"))
        #expect(receiver.stop().status == 0)
    }

    /// A primary that keeps little WAL, has no role but its superuser, and lets nobody replicate.
    private func unprepared() throws -> (DebianCluster, HintFollower) {
        let debian = try DebianCluster(settings: ["wal_level = minimal", "max_wal_senders = 0"])
        let rules = "\(debian.configuration)/pg_hba.conf"
        try TestDirectory.write(
            "local all postgres peer\nhost all all 127.0.0.1/32 scram-sha-256\n", to: rules, mode: 0o640)
        try debian.cluster.sql("SELECT pg_reload_conf()")
        return (debian, HintFollower(debian.cluster, hostRules: rules) { try debian.restart() })
    }

    @Test func `where a role may not know it, the right is named, and the grant leads on`() throws {
        // Without a name, nothing but the words of the version tells of Debian.
        let debian = try DebianCluster(settings: ["cluster_name = "])
        let arguments = ["--standby-port", String(try Port.free())]
        let unsure = try debian.clone(to: TestDirectory.freshPath("standby"), arguments)
        #expect(unsure.status == 0, "\(unsure)")
        let grant = try #require(unsure.errorOutput.firstMatch(of: /GRANT pg_read_all_settings TO r;/), "\(unsure)")
        try debian.cluster.sql(String(grant.output))
        expectRefused(
            try debian.clone(to: TestDirectory.freshPath("standby"), arguments + ["--start"]),
            "the data directory of the primary has no postgresql.conf")
    }

    @Test func `the command that is printed starts a copy without configuration, too`() throws {
        let debian = try DebianCluster(settings: ["max_connections = 123"])
        let target = TestDirectory.freshPath("standby")
        let result = try debian.clone(to: target, ["--slot", "s", "--standby-port", String(Port.free())])
        try #require(result.status == 0, "\(result)")
        #expect(result.errorOutput.contains("has no postgresql.conf"), "\(result)")
        let standby = try debian.start(by: result, target)
        try debian.expectFollows(standby)
        #expect(try standby.sql("SHOW max_connections") == "123")
    }

    @Test func `the cluster to which the directory belongs here is found, and started by Debian's command`() throws {
        let debian = try DebianCluster()
        let other = try DebianCluster(isStarted: false)
        let target = other.cluster.directory
        try FileManager.default.removeItem(atPath: target)
        let result = try debian.clone(to: target, ["--slot", "s"])
        try #require(result.status == 0, "\(result)")
        #expect(
            result.errorOutput.contains("the standby's configuration is \"\(other.configuration)/postgresql.conf\""))
        #expect(result.output.contains("pg_ctlcluster \(other.cluster.installation.major) "), "\(result)")
        let standby = try debian.start(by: result, target)
        #expect(standby.port == other.cluster.port)
        try debian.expectFollows(standby)
    }

    @Test func `configure reads the configuration in /etc, and writes into the data directory`() throws {
        // A target at which a standby would stop, and a switch with which nobody could read it.
        let debian = try DebianCluster(
            settings: ["recovery_target_name = x", "hot_standby = off"], isStarted: false)
        let directory = debian.cluster.directory, main = "\(debian.configuration)/postgresql.conf"
        let before = try FileTree.bytes(main)
        let result = try Program.run(
            UnderstudyProgram.path, ["configure", "-D", directory, "-v", "-h", "nowhere", "-S", "s1"],
            environment: UnderstudyProgram.environment, asCaller: true)
        #expect(result.status == 0 && result.errorOutput.contains("configuration is \"\(main)\""), "\(result)")
        #expect(try FileTree.bytes(main) == before)
        try debian.restart()
        #expect(try debian.cluster.sql("SELECT pg_is_in_recovery()") == "t")
        #expect(try debian.cluster.sql("SHOW recovery_target_name") == "")
        #expect(try debian.cluster.sql("SHOW primary_conninfo") == "host=nowhere")
    }

    @Test func `a setting too low in --config-file is found before the copy`() throws {
        let debian = try DebianCluster(settings: ["max_connections = 123"])
        try debian.cluster.makeReplicationRole("reader", password: "secret")
        try debian.cluster.sql("GRANT pg_read_all_settings TO reader")
        let file = TestDirectory.freshPath("postgresql.conf"), target = TestDirectory.freshPath("standby")
        try TestDirectory.write("max_connections = 122\n", to: file)
        let arguments = ["--config-file", file, "--start", "--standby-port", String(try Port.free())]
        let result = try debian.clone(to: target, arguments, role: "reader")
        expectRefused(
            result, "max_connections would be 122 for the standby, and is 123 on the primary",
            "--set=max_connections=123")
        #expect(!FileTree.exists(target))
        // A value of postgresql.auto.conf comes along.
        try debian.cluster.sql("ALTER SYSTEM SET max_connections = 123")
        try debian.restart()
        let hostRules = "local all all trust\n"
        try TestDirectory.write(hostRules, to: "\(file).hba")
        try TestDirectory.write(
            "max_connections = 122\nhba_file = '\(file).hba'\nunix_socket_directories = '\(debian.cluster.socketDirectory)'\n",
            to: file)
        let started = try debian.clone(to: target, arguments, role: "reader")
        #expect(started.status == 0, "\(started)")
        _ = try Cluster(running: target, debian.cluster.installation)
    }

    @Test func `--generate-config makes what the standby needs to start`() throws {
        let debian = try DebianCluster(settings: ["max_connections = 123", "max_prepared_transactions = 7"])
        let target = TestDirectory.freshPath("standby")
        let result = try debian.clone(
            to: target, ["--generate-config", "--start", "--standby-port", String(Port.free()), "--wait", "60s"])
        try #require(result.status == 0, "\(result)")
        let standby = try Cluster(running: target, debian.cluster.installation)
        try debian.expectFollows(standby)
        for file in ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"] {
            #expect(try FileTree.mode("\(target)/\(file)") == 0o600)
        }
    }

    @Test func `--config-file starts the standby with a configuration of pg_createcluster`() throws {
        let debian = try DebianCluster()
        let other = try DebianCluster(isStarted: false)
        let target = other.cluster.directory
        try FileManager.default.removeItem(atPath: target)
        let result = try debian.clone(
            to: target, ["--config-file", "\(other.configuration)/postgresql.conf", "--start", "--wait", "60s"])
        try #require(result.status == 0, "\(result)")
        let standby = try Cluster(running: target, debian.cluster.installation)
        #expect(standby.port == other.cluster.port)
        try debian.expectFollows(standby)
    }
}

/// A cluster made by pg_createcluster and dropped when nobody holds it any more.
final class DebianCluster: Sendable {
    let cluster: Cluster
    let configuration: String
    private let name: String

    static let isPossible = Account.isRoot && installation != nil && FileTree.exists("/usr/bin/pg_createcluster")

    private static let installation = PostgresInstallation.all.last { $0.programs.hasPrefix("/usr/lib/postgresql/") }
    private static let prefix = "understudytest"

    init(settings: [String] = [], isStarted: Bool = true) throws {
        let installation = try #require(Self.installation)
        let major = String(installation.major)
        Self.dropLeftovers(major)
        let home = try TestDirectory.make("debian", mode: 0o755)
        try TestDirectory.make(at: "\(home)/s")
        let port = try Port.free()
        name = "\(Self.prefix)\(getpid())-\(port)"
        configuration = "/etc/postgresql/\(major)/\(name)"
        try Self.debian(
            "pg_createcluster", "--datadir=\(home)/data", "--socketdir=\(home)/s", "--port=\(port)",
            "--logfile=\(home)/log", "--start-conf=manual", major, name, "--", "--no-sync")
        try Self.debian("pg_conftool", major, name, "set", "fsync", "off")
        for setting in settings {
            let words = setting.components(separatedBy: " = ")
            try Self.debian("pg_conftool", major, name, "set", words[0], words[1])
        }
        if isStarted { try Self.debian("pg_ctlcluster", major, name, "start") }
        cluster = Cluster(
            directory: "\(home)/data", port: port, socketDirectory: "\(home)/s", log: "\(home)/log", installation)
    }

    deinit {
        _ = try? Self.debian("pg_dropcluster", "--stop", String(cluster.installation.major), name)
        try? FileManager.default.removeItem(atPath: configuration)
    }

    /// Clones it as a role that Debian's own pg_hba.conf lets in with a password.
    func clone(to target: String, _ arguments: [String], role: String = "r") throws -> ProgramResult {
        if try !cluster.holds("SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '\(role)')") {
            try cluster.makeReplicationRole(role, password: "secret")
        }
        let login = cluster.connectionString(user: role) + " password=secret"
        return try UnderstudyProgram.run(
            ["clone", "--primary", login, "-D", target, "--checkpoint=fast"] + arguments)
    }

    /// Starts the standby by the command that a clone has printed.
    func start(by result: ProgramResult, _ target: String) throws -> Cluster {
        let lines = (result.output + result.errorOutput).components(separatedBy: "\n")
        let command = try #require(lines.drop { $0 != "start the standby with:" }.dropFirst().first, "\(result)")
        try Program.check("/bin/sh", ["-c", command])
        return try Cluster(running: target, cluster.installation)
    }

    func restart() throws {
        try Self.debian("pg_ctlcluster", String(cluster.installation.major), name, "restart")
    }

    func expectFollows(_ standby: Cluster) throws {
        try cluster.sql("CREATE TABLE later AS SELECT 1 AS n")
        try cluster.waitForReplay(on: standby)
        #expect(try cluster.differences(from: standby) == [])
    }

    @discardableResult
    private static func debian(_ program: String, _ arguments: String...) throws -> ProgramResult {
        try Program.check("/usr/bin/\(program)", arguments, asCaller: true)
    }

    /// Drops what a run left behind that was killed.
    private static func dropLeftovers(_ major: String) {
        for name in FileTree.names("/etc/postgresql/\(major)") where name.hasPrefix(prefix) {
            guard let owner = pid_t(name.dropFirst(prefix.count).prefix { $0 != "-" }), kill(owner, 0) != 0,
                errno == ESRCH
            else { continue }
            _ = try? debian("pg_dropcluster", "--stop", major, name)
            try? FileManager.default.removeItem(atPath: "/etc/postgresql/\(major)/\(name)")
        }
    }
}
