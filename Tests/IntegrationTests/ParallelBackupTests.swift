import Foundation
import Testing
import UnderstudyProtocol
import UnderstudyTestSupport

/// Base backups over several ordinary connections.
@Suite(.disabled(if: isStock)) struct ParallelBackupTests {
    private static let jobs = ["--jobs", "3"]

    /// A cluster with a file that is cut into pieces, a tablespace, and what a backup leaves out.
    private func makeCluster(_ installation: PostgresInstallation, _ settings: [String] = []) throws -> Cluster {
        var options = Cluster.Options()
        options.settings = settings
        let cluster = try Cluster(installation, options)
        let place = try cluster.makeTablespace("space")
        try cluster.sql(
            """
            CREATE TABLE large AS SELECT i, repeat('x', 900) FROM generate_series(1, 40000) i;
            CREATE TABLE elsewhere TABLESPACE space AS SELECT i FROM generate_series(1, 1000) i;
            CREATE UNLOGGED TABLE unlogged AS SELECT 1
            """)
        _ = place
        return cluster
    }

    private func map(_ cluster: Cluster) throws -> [String] {
        let old = try cluster.sql("SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'space'")
        return ["-T", "\(old)=\(TestDirectory.freshPath("space"))"]
    }

    @Test(arguments: PostgresInstallation.all.filter { $0.major >= 13 })
    func `a copy is what the stock tool verifies, and a server that starts`(
        installation: PostgresInstallation
    ) throws {
        let cluster = try makeCluster(installation)
        let target = TestDirectory.freshPath("backup")
        // The names of functions are those of this version.
        let version = ServerVersion(number: try #require(Int(cluster.sql("SHOW server_version_num"))))
        #expect(try cluster.sql(BackupSQL(version).missingPrivileges.text) == "")
        let result = try basebackup(cluster, to: target, Self.jobs + map(cluster) + ["-v"])
        #expect(result.status == 0, "\(result)")
        #expect(!result.errorOutput.contains("warning"), "\(result)")
        let verdict = try verify(target, of: cluster)
        #expect(verdict.status == 0, "\(verdict)")
        #expect(FileTree.names("\(target)/pg_wal").contains("archive_status"))
        let copy = try Cluster(copy: target, of: cluster)
        try copy.start()
        #expect(try cluster.differences(from: copy) == [])
        #expect(try copy.sql("SELECT count(*) FROM unlogged") == "0")
    }

    @Test(arguments: ["SHA256", "NONE"])
    func `the manifest has the checksums that are asked for`(algorithm: String) throws {
        let cluster = try makeCluster(.newest)
        let target = TestDirectory.freshPath("backup")
        let result = try basebackup(
            cluster, to: target,
            Self.jobs + map(cluster) + ["--manifest-checksums", algorithm, "--manifest-force-encode"])
        #expect(result.status == 0, "\(result)")
        let verdict = try verify(target, of: cluster)
        #expect(verdict.status == 0, "\(verdict)")
        let manifest = try FileTree.text("\(target)/backup_manifest")
        #expect(manifest.contains("\"Checksum-Algorithm\": \"SHA256\"") == (algorithm == "SHA256"))
        #expect(!manifest.contains("\"Path\""))
    }

    @Test func `under a load of changes a standby comes of it that has all`() throws {
        let primary = try makeCluster(.newest)
        let shell = try Program(
            primary.installation.program("psql"),
            [
                "-X", "-q", "-h", primary.socketDirectory, "-p", String(primary.port), "-U", "postgres", "-d",
                "postgres",
            ], input: Self.load)
        let target = TestDirectory.freshPath("standby")
        let result = try clone(primary, to: target, Self.jobs + map(primary) + ["--slot", "standby1"])
        shell.send(9)
        _ = shell.wait()
        #expect(result.output.contains("cloned"), "\(result)")
        let standby = try Cluster(copy: target, of: primary)
        try standby.start()
        try primary.waitForReplay(on: standby)
        #expect(try primary.differences(from: standby) == [])
        try standby.stop()
        try Program.check(primary.installation.program("pg_checksums"), ["--check", "-D", target])
    }

    /// What makes, removes and moves files, again and again.
    private static let load = """
        SELECT 'CREATE DATABASE copied' || i || ' STRATEGY ' || CASE WHEN i % 2 = 0 THEN 'file_copy' ELSE 'wal_log' END,
            'DROP DATABASE copied' || i,
            'CREATE TABLE grown AS SELECT n, repeat(''y'', 900) FROM generate_series(1, 20000) n',
            'CREATE UNLOGGED TABLE IF NOT EXISTS lost AS SELECT 1', 'CREATE TEMPORARY TABLE fleeting' || i || ' AS SELECT 1',
            'DELETE FROM grown WHERE n > 100', 'VACUUM grown', 'VACUUM FULL large', 'UPDATE elsewhere SET i = i + 1',
            'CHECKPOINT', 'DROP TABLE grown, lost'
        FROM generate_series(1, 1000) i \\gexec
        """

    // MARK: - Privileges and connections

    @Test(arguments: PostgresInstallation.outermost)
    func `a role without privileges is told which, and has them as soon as it is given them`(
        installation: PostgresInstallation
    ) throws {
        let cluster = try Cluster(installation)
        try cluster.makeReplicationRole("\"plain role\"")
        let target = TestDirectory.freshPath("backup")
        let arguments = ["-U", "plain role"] + Self.jobs
        func give(_ result: ProgramResult) throws {
            let hint = try #require(result.errorOutput.split(separator: "\n").first { $0.contains("hint: ") })
            try cluster.sql(String(hint[hint.range(of: "GRANT").map(\.lowerBound)!...]))
        }
        // What is everybody's on most servers, and messages that nobody wants to see.
        try cluster.sql(
            """
            REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC; REVOKE SELECT ON pg_tablespace FROM PUBLIC;
            ALTER ROLE "plain role" IN DATABASE postgres SET client_min_messages = debug5
            """)
        let refused = try basebackup(cluster, to: target, arguments)
        expectRefused(
            refused, "lacks privileges", "GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text, boolean, boolean)",
            "pg_control_system()", "GRANT SELECT ON pg_catalog.pg_tablespace")
        #expect(!refused.errorOutput.contains("pg_backend_pid"))
        #expect(!FileTree.exists(target))
        try give(refused)
        let granted = try basebackup(cluster, to: TestDirectory.freshPath("backup"), arguments)
        #expect(granted.status == 0, "\(granted)")
        // Then it cannot be asked which are missing, and all are named.
        try cluster.sql("REVOKE EXECUTE ON FUNCTION has_function_privilege(text, text) FROM PUBLIC")
        let unknown = try basebackup(cluster, to: target, arguments)
        expectRefused(unknown, "cannot be asked", "has_function_privilege(text, text)", "pg_backend_pid()")
        try give(unknown)
        let result = try basebackup(cluster, to: target, arguments)
        #expect(result.status == 0, "\(result)")
        #expect(!result.errorOutput.contains("DEBUG"), "\(result)")
    }

    @Test func `where the server has no more connections, fewer copy`() throws {
        let cluster = try makeCluster(.newest, ["max_connections = 6", "superuser_reserved_connections = 0"])
        let target = TestDirectory.freshPath("backup")
        let result = try basebackup(cluster, to: target, ["--jobs", "20"] + map(cluster))
        #expect(result.status == 0, "\(result)")
        #expect(result.errorOutput.contains("of 20 connections copy: the server has no more"), "\(result)")

        // So it is with a role that may have no more; nor do its settings matter, with many names in one directory.
        let version = ServerVersion(number: try #require(Int(cluster.sql("SHOW server_version_num"))))
        try cluster.makeReplicationRole("limited")
        try cluster.sql(BackupSQL(version).privileges.prefix(5).map { $0.grant(to: "limited") }.joined(separator: " "))
        try cluster.sql(
            """
            ALTER ROLE limited CONNECTION LIMIT 4; ALTER ROLE limited SET default_transaction_read_only = on;
            ALTER ROLE limited SET temp_file_limit = 0; ALTER ROLE limited SET work_mem = 64;
            ALTER ROLE limited SET search_path = nowhere; ALTER ROLE limited SET bytea_output = escape
            """)
        try Program.check(
            "/bin/sh", ["-c", "mkdir \"$0/many\" && cd \"$0/many\" && seq 3000 | xargs touch", cluster.directory])
        let limited = try basebackup(
            cluster, to: TestDirectory.freshPath("backup"), ["-U", "limited", "--jobs", "20"] + map(cluster))
        #expect(limited.status == 0, "\(limited)")
        #expect(limited.errorOutput.contains("of 20 connections copy: the role may have no more"), "\(limited)")
        #expect(limited.errorOutput.contains("ALTER ROLE limited CONNECTION LIMIT -1;"), "\(limited)")
    }

    @Test func `a connection that breaks costs a piece, and that which holds the backup ends it`() throws {
        let cluster = try makeCluster(.newest)
        func end(_ condition: String, by function: String = "pg_terminate_backend") throws {
            try eventually("connections that copy") {
                try cluster.holds(
                    "SELECT count(\(function)(pid)) > 0 FROM pg_stat_activity WHERE application_name = 'understudy' AND backend_type = 'client backend' AND \(condition)"
                )
            }
        }
        let target = TestDirectory.freshPath("backup")
        let first = try startBasebackup(cluster, to: target, Self.jobs + map(cluster) + ["-r", "20M"])
        try end("query LIKE '%pg_read_binary_file%' AND state = 'active'", by: "pg_cancel_backend")
        try end("query LIKE 'COPY%pg_read_binary_file%'")
        let result = first.wait()
        #expect(result.status == 0, "\(result)")
        #expect(result.errorOutput.contains("goes on over another connection"), "\(result)")
        #expect(try verify(target, of: cluster).status == 0)

        let second = TestDirectory.freshPath("backup")
        let held = try startBasebackup(cluster, to: second, Self.jobs + map(cluster) + ["-r", "20M"])
        try eventually("the copy") {
            try cluster.holds(
                "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'COPY%pg_read_binary_file%VALUES%base/%'")
        }
        try end("(query LIKE '%segment_size%' OR query LIKE '%pg_postmaster_start_time%')")
        let void = held.wait()
        expectRefused(void, "holds the backup")
        #expect(!FileTree.exists(second))
        try cluster.expectReleased()
    }

    @Test(arguments: [["-X", "fetch"], ["-Z", "server-gzip"], ["--jobs", "0"], ["--jobs", "65"]])
    func `what comes over one connection alone is refused before anything is made`(arguments: [String]) throws {
        let target = TestDirectory.freshPath("backup")
        let result = try UnderstudyProgram.run(
            ["basebackup", "-h", "127.0.0.1", "-p", "1", "-D", target] + Self.jobs + arguments)
        #expect(result.status == 1, "\(result)")
        #expect(!result.errorOutput.contains("connection to server"), "\(result)")
        #expect(!FileTree.exists(target))
    }
}
