import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// Clusters as Debian makes them: the configuration is outside of the data directory, so a copy has none.
@Suite(.serialized, .disabled(if: isStock || !DebianCluster.isPossible, "needs root and Debian's pg_createcluster"))
struct DebianTests {
    @Test func `a clone without configuration files says so, with both ways out`() throws {
        let debian = try DebianCluster()
        let target = TestDirectory.freshPath("standby")
        let result = try debian.clone(to: target, ["--start", "--standby-port", String(Port.free())])
        #expect(result.status == 1, "\(result)")
        #expect(result.errorOutput.contains("postgresql.conf"), "\(result)")
        #expect(result.errorOutput.contains("--config-file"), "\(result)")
        #expect(result.errorOutput.contains("--generate-config"), "\(result)")
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
    func clone(to target: String, _ arguments: [String]) throws -> ProgramResult {
        try cluster.makeReplicationRole("r", password: "secret")
        return try UnderstudyProgram.run(
            Command.clone.arguments(cluster.connectionString(user: "r") + " password=secret", target) + arguments)
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
