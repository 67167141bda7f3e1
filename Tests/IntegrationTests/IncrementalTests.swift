import Foundation
import Testing
import Understudy
import UnderstudyTestSupport

/// Backups of what has changed (`-i`), and backups that the server puts somewhere itself (`-t`).
@Suite struct IncrementalTests {
    @Test(arguments: PostgresInstallation.all.filter { $0.major >= 17 })
    func `the stock tool combines chains of ours and of its own`(installation: PostgresInstallation) throws {
        let cluster = try Cluster(installation)
        try cluster.sql("ALTER SYSTEM SET summarize_wal = on")
        try cluster.sql("SELECT pg_reload_conf()")
        try cluster.sql("CREATE TABLE t AS SELECT repeat('x', 1000) AS x, n FROM generate_series(1, 2000) AS n")
        let full = TestDirectory.freshPath("full")
        let first = try basebackup(cluster, to: full, [])
        try #require(first.status == 0, "\(first)")

        try cluster.sql("UPDATE t SET x = 'one' WHERE n = 7")
        let second = TestDirectory.freshPath("second")
        let result = try basebackup(cluster, to: second, ["-i", "\(full)/backup_manifest"])
        try #require(result.status == 0, "\(result)")
        #expect(try verify(second, of: cluster).status == 0)
        let increments = FileTree.snapshot(second).filter { $0.contains("INCREMENTAL.") }
        #expect(!increments.isEmpty)

        try cluster.sql("UPDATE t SET x = 'two' WHERE n = 8")
        let third = TestDirectory.freshPath("third")
        let stock = try Program.run(
            cluster.installation.program("pg_basebackup"),
            ["-d", cluster.connectionString(), "-D", third, "-c", "fast", "-i", "\(second)/backup_manifest"])
        try #require(stock.status == 0, "\(stock)")

        try cluster.sql("UPDATE t SET x = 'three' WHERE n = 9")
        let archives = TestDirectory.freshPath("archives"), fourth = TestDirectory.freshPath("fourth")
        let tar = try basebackup(
            cluster, to: archives, ["-F", "t", "-z", "-X", "fetch", "-i", "\(third)/backup_manifest"])
        try #require(tar.status == 0, "\(tar)")
        try TestDirectory.make(at: fourth)
        try Program.check("/usr/bin/tar", ["-xpzf", "\(archives)/base.tar.gz", "-C", fourth])
        try Program.check("/bin/cp", ["\(archives)/backup_manifest", "\(fourth)/backup_manifest"])

        let combined = TestDirectory.freshPath("combined")
        let put = try Program.run(
            cluster.installation.program("pg_combinebackup"), ["-o", combined, full, second, third, fourth])
        try #require(put.status == 0, "\(put)")
        #expect(try verify(combined, of: cluster).status == 0)
        let copy = try Cluster(copy: combined, of: cluster)
        try copy.start()
        #expect(try copy.sql("SELECT string_agg(x, ' ' ORDER BY n) FROM t WHERE n BETWEEN 7 AND 9") == "one two three")
    }

    @Test func `what is no manifest, or of another cluster, is refused by the server, and nothing is left`() throws {
        let cluster = try Cluster(.newest)
        guard cluster.installation.major >= 17 else { return }
        let target = TestDirectory.freshPath("target"), other = TestDirectory.freshPath("other")
        let bad = try basebackup(cluster, to: target, ["-i", "/etc/passwd"])
        expectRefused(bad, "could not upload manifest: ERROR:  could not parse backup manifest")
        let absent = try basebackup(cluster, to: target, ["-i", "/nowhere/backup_manifest"])
        expectRefused(
            absent, #"could not open file "/nowhere/backup_manifest": No such file or directory"#, hint: false)
        var options = Cluster.Options()
        options.checksums = false
        // Made by itself, so that it has an identifier of its own.
        let stranger = try Cluster(.newest, options)
        try #require(try basebackup(stranger, to: other, []).status == 0)
        let foreign = try basebackup(cluster, to: target, ["-i", "\(other)/backup_manifest"])
        expectRefused(foreign, "system identifier")
        #expect(!FileTree.exists(target))
    }

    @Test func `a server before 17 has no such backup, and says so before anything is made`() throws {
        guard let old = PostgresInstallation.all.last(where: { $0.major < 17 }) else { return }
        let cluster = try Cluster(old), target = TestDirectory.freshPath("target")
        let result = try basebackup(cluster, to: target, ["-i", "/etc/passwd"])
        expectRefused(result, "server does not support incremental backup", "Take a full backup")
        #expect(!FileTree.exists(target))
    }

    // MARK: - Targets on the server

    private func run(_ cluster: Cluster, _ words: [String]) throws -> ProgramResult {
        try UnderstudyProgram.run(["basebackup", "-d", cluster.connectionString(), "-w", "-c", "fast"] + words)
    }

    @Test(arguments: PostgresInstallation.all.filter { $0.major >= 15 })
    func `the server puts archives where it is told`(installation: PostgresInstallation) throws {
        let cluster = try Cluster(installation)
        let place = TestDirectory.freshPath("place")
        let result = try run(cluster, ["-t", "server:\(place)", "-X", "fetch", "-Z", "gzip:1", "-P"])
        try #require(result.status == 0, "\(result)")
        #expect(FileTree.names(place) == ["backup_manifest", "base.tar.gz"])
        #expect(result.errorOutput.contains("(100%), 1/1 tablespace"), "\(result)")
        let nowhere = try run(cluster, ["-t", "blackhole", "-X", "none"])
        #expect(nowhere.status == 0, "\(nowhere)")
        let again = try run(cluster, ["-t", "server:\(place)", "-X", "none"])
        expectRefused(
            again, "could not initiate base backup: ERROR:  directory \"\(place)\" exists but is not empty", hint: false
        )
        let unknown = try run(cluster, ["-t", "nowhere:x", "-X", "none"])
        expectRefused(unknown, "could not initiate base backup: ERROR:  unrecognized target: \"nowhere\"", hint: false)
    }

    @Test func `a server before 15 knows no targets`() throws {
        guard let old = PostgresInstallation.all.first(where: { $0.major < 15 }) else { return }
        let result = try run(try Cluster(old), ["-t", "blackhole", "-X", "none"])
        expectRefused(result, "backup targets are not supported by this server version", "servers from 15 know targets")
    }

    /// Nothing of a backup that the server was to put somewhere itself may come here.
    @Test func `data of a backup that is not to come here is refused`() async throws {
        var played = PlayedServer(.v16)
        try played.removeTablespace()
        let server = try played.serve()
        var backup = BaseBackup(source: "host=127.0.0.1 port=\(server.port) user=r sslmode=disable gssencmode=disable")
        backup.options.wal = .none
        let error = await #expect(throws: UnderstudyError.self) { try await backup.run(into: .server("blackhole")) }
        #expect(error?.message == "server sent data of a backup that it was to put somewhere itself")
    }
}
