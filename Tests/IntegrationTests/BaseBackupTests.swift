import Foundation
import Testing
import UnderstudyTestSupport

@Suite struct BaseBackupTests {
    @Test(arguments: PostgresInstallation.all, ["fetch", "stream"])
    func `a backup with its WAL is verified by the stock tool, starts, and equals its source`(
        installation: PostgresInstallation, method: String
    ) throws {
        let cluster = try Cluster(installation)
        try Workload.prepare(cluster)
        let unlogged = try cluster.makeUnloggedTable("unlogged")
        let load = try Workload(on: cluster)
        let target = TestDirectory.freshPathOnDisk("backup")
        let result = try basebackup(cluster, to: target, ["-X", method])
        try load.stop()
        try #require(result.status == 0, "\(result)")
        let verdict = try verify(target, of: cluster)
        #expect(verdict.status == 0, "\(verdict)")
        #expect(!FileTree.exists("\(target)/\(unlogged)"))
        #expect(FileTree.exists("\(target)/\(unlogged)_init"))
        #expect(!FileTree.exists("\(target)/backup_manifest.tmp"))
        #expect(!FileTree.exists("\(target)/tablespace_map"))
        try cluster.expectReleased()

        // The load's last transactions came after the backup: what it holds is a state of the past.
        let copy = try Cluster(copy: target, of: cluster)
        try copy.start()
        let balance = """
            SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history)
               AND (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history)
            """
        #expect(try copy.holds(balance))
    }

    @Test(arguments: PostgresInstallation.all)
    func `a backup without WAL leaves it to the archive`(installation: PostgresInstallation) throws {
        var options = Cluster.Options()
        let archive = try TestDirectory.make("archive")
        options.settings = ["archive_mode = on", "archive_command = 'cp %p \(archive)/%f'"]
        let cluster = try Cluster(installation, options)
        let target = TestDirectory.freshPath("backup")
        let result = try basebackup(cluster, to: target, ["-X", "none", "-v"])
        try #require(result.status == 0, "\(result)")
        #expect(!result.errorOutput.contains("write-ahead log start point"), "\(result)")
        #expect(FileTree.names("\(target)/pg_wal").filter { $0 != "archive_status" && $0 != "summaries" } == [])
        let verdict = try verify(target, of: cluster, ["--no-parse-wal"])
        #expect(verdict.status == 0, "\(verdict)")
        // The server answered only when the archive had all of it.
        let copy = try Cluster(copy: target, of: cluster)
        try copy.append(["restore_command = 'cp \(archive)/%f %p'", "archive_mode = off"], to: "postgresql.auto.conf")
        try TestDirectory.write("", to: "\(target)/recovery.signal")
        try copy.start()
        try eventually("the end of recovery: \(copy.logTail)") { try copy.holds("SELECT NOT pg_is_in_recovery()") }
        #expect(try cluster.differences(from: copy) == [])
    }

    @Test(arguments: PostgresInstallation.all)
    func `a backup without WAL where nothing archives passes the server's notice on`(
        installation: PostgresInstallation
    ) throws {
        let cluster = try Cluster(installation)
        let result = try basebackup(cluster, to: TestDirectory.freshPath("backup"), ["-X", "none"])
        #expect(result.status == 0, "\(result)")
        #expect(result.errorOutput.contains("NOTICE:  WAL archiving is not enabled"), "\(result)")
    }

    @Test(arguments: PostgresInstallation.all)
    func `a role and a pg_hba.conf that allow replication alone are enough`(installation: PostgresInstallation) throws {
        var options = Cluster.Options()
        options.hostBasedAuthentication = ["host replication r 127.0.0.1/32 trust"]
        let cluster = try Cluster(installation, options)
        try cluster.makeReplicationRole("r")
        let target = TestDirectory.freshPath("backup")
        let result = try basebackup(cluster, to: target, ["-U", "r"])
        #expect(result.status == 0, "\(result)")
        #expect(try verify(target, of: cluster).status == 0)
    }

    @Test(arguments: PostgresInstallation.all)
    func `-C and -S make a permanent slot, and -R a standby that uses it`(installation: PostgresInstallation) throws {
        let primary = try Cluster(installation)
        let target = TestDirectory.freshPath("standby")
        let result = try basebackup(primary, to: target, ["-R", "-C", "-S", "standby1"])
        try #require(result.status == 0, "\(result)")
        #expect(FileTree.exists("\(target)/standby.signal"))
        try primary.sql("CREATE TABLE later AS SELECT 1 AS n; SELECT pg_switch_wal()")
        let standby = try Cluster(copy: target, of: primary)
        try standby.start()
        try primary.waitForReplay(on: standby)
        #expect(try primary.differences(from: standby) == [])
        #expect(try primary.holds("SELECT active FROM pg_replication_slots WHERE slot_name = 'standby1'"))
    }

    @Test(arguments: PostgresInstallation.all)
    func `-S uses a slot that exists, and keeps it`(installation: PostgresInstallation) throws {
        let cluster = try Cluster(installation)
        try cluster.sql("SELECT pg_create_physical_replication_slot('mine', true)")
        let target = TestDirectory.freshPath("backup")
        let result = try basebackup(cluster, to: target, ["-S", "mine", "-X", "stream"])
        #expect(result.status == 0, "\(result)")
        #expect(try verify(target, of: cluster).status == 0)
        try cluster.expectReleased(slots: ["mine"])
    }

    @Test(arguments: PostgresInstallation.all)
    func `the tutorial's command line works word for word`(installation: PostgresInstallation) throws {
        // understudy basebackup -U r -h $master_ip --format=plain -vxP -D $PGDATA
        let cluster = try Cluster(installation)
        try cluster.makeReplicationRole("r")
        let target = TestDirectory.freshPath("backup")
        let result = try UnderstudyProgram.run(
            ["basebackup", "-U", "r", "-h", "127.0.0.1", "--format=plain", "-vxP", "-D", target],
            environment: ["PGPORT": String(cluster.port)])
        try #require(result.status == 0, "\(result)")
        #expect(result.errorOutput.contains("write-ahead log start point: "), "\(result)")
        #expect(result.errorOutput.contains("(100%), 1/1 tablespace"), "\(result)")
        #expect(try verify(target, of: cluster).status == 0)
    }
}
