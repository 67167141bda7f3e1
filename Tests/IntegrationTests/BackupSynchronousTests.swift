import Foundation
import Testing
import Understudy
import UnderstudyTestSupport

/// A backup under way is no synchronous standby, whatever the server is told to wait for.
@Suite(.disabled(if: isStock)) struct BackupSynchronousTests {
    private static let levels = ["on", "remote_write", "remote_apply"]

    private func cluster(_ installation: PostgresInstallation, names: String) throws -> Cluster {
        let cluster = try Cluster(installation)
        try cluster.sql(
            "CREATE TABLE t (level text); CREATE TABLE fill AS SELECT repeat('x', 900) FROM generate_series(1, 20000)")
        try cluster.synchronize(names)
        return cluster
    }

    /// Begins a commit for each level, and waits until all of them wait for a standby. The first ones after a change of the
    /// setting may not: the checkpointer tells the others of it, when it comes to that.
    private func commit(on cluster: Cluster, _ levels: [String] = levels) throws -> [Program] {
        func start(_ level: String) throws -> Program {
            try Program(
                cluster.installation.program("psql"),
                [
                    "-X", "-q", "-h", cluster.socketDirectory, "-p", String(cluster.port), "-U", "postgres", "-d",
                    "postgres", "-c", "SET synchronous_commit = \(level)", "-c", "INSERT INTO t VALUES ('\(level)')",
                ])
        }
        var commits = try levels.map(start)
        try eventually("commits that wait") {
            for index in commits.indices where !commits[index].isRunning { commits[index] = try start(levels[index]) }
            return try waiting(on: cluster) == levels.count
        }
        return commits
    }

    private func waiting(on cluster: Cluster) throws -> Int {
        try #require(Int(try cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")))
    }

    @Test(arguments: PostgresInstallation.outermost, [["-C", "-S", "made"], ["-N", "-S", "unused"]])
    func `a commit waits for the real standby, not for a backup that has its WAL`(
        installation: PostgresInstallation, slot: [String]
    ) throws {
        let primary = try cluster(installation, names: "*")
        try primary.sql("SET synchronous_commit = local; SELECT pg_create_physical_replication_slot('unused')")
        let target = TestDirectory.freshPath("backup")
        let backup = try startBasebackup(primary, to: target, ["-R", "-r", "8M", "-v"] + slot)
        try primary.waitUntilCopying(backup)
        let commits = try commit(on: primary)
        // By its end it has written and synced all that the commits wrote.
        let result = backup.wait()
        #expect(result.status == 0, "\(result)")
        let name = slot.last!
        let isUnused = name == "unused"
        #expect(
            result.errorOutput.contains("warning: replication slot \"unused\" holds no WAL") == isUnused, "\(result)")
        #expect(
            try primary.holds("SELECT restart_lsn IS NOT NULL FROM pg_replication_slots WHERE slot_name = '\(name)'"))
        if !isUnused { #expect(try waiting(on: primary) == commits.count) }
        let standby = try Cluster(copy: target, of: primary)
        try standby.start()
        for commit in commits { #expect(commit.wait().status == 0) }
        try primary.waitForReplay(on: standby)
        #expect(try standby.sql("SELECT count(DISTINCT level) FROM t") == "3")
    }

    @Test func `where nobody waits the slot moves, and is not told of any more as soon as somebody does`() throws {
        let primary = try cluster(.newest, names: "")
        let backup = try startBasebackup(
            primary, to: TestDirectory.freshPath("backup"), ["-r", "2M", "-v", "-C", "-S", "made"])
        try primary.waitUntilCopying(backup)
        let sender = "FROM pg_stat_replication WHERE state = 'streaming'"
        let wal = try primary.sql("INSERT INTO t VALUES ('before'); SELECT pg_current_wal_lsn()")
        try eventually("a slot that moves: \(backup.errorOutput)") {
            try #require(backup.isRunning)
            return try primary.holds("SELECT restart_lsn >= '\(wal)' FROM pg_replication_slots")
        }
        try primary.synchronize("*")
        let commits = try commit(on: primary)
        try eventually("the end of what is told: \(backup.errorOutput)") {
            try #require(backup.isRunning)
            return try primary.holds("SELECT flush_lsn IS NULL AND write_lsn IS NOT NULL \(sender)")
        }
        #expect(try waiting(on: primary) == commits.count)
        #expect(backup.isRunning)
    }

    @Test func `where the server cannot be asked again it is told no more, and not asked a third time`() throws {
        let primary = try cluster(.newest, names: "")
        // The backup has both.
        try primary.append(["max_wal_senders = 2"], to: "postgresql.conf")
        try primary.restart()
        let backup = try startBasebackup(
            primary, to: TestDirectory.freshPath("backup"), ["-r", "8M", "-v", "-C", "-S", "made"])
        try primary.waitUntilCopying(backup)
        let sender = "FROM pg_stat_replication WHERE state = 'streaming'"
        try eventually("the end of what is told: \(backup.errorOutput)") {
            try #require(backup.isRunning)
            return try primary.holds("SELECT flush_lsn IS NULL AND write_lsn IS NOT NULL \(sender)")
        }
        let result = backup.wait()
        #expect(result.status == 0, "\(result)")
        let words = "synchronous_standby_names could not be asked for again ("
        let lines = result.errorOutput.split(separator: "\n").filter { $0.contains(words) }
        #expect(lines.count == 1, "\(result)")
        #expect(lines.allSatisfy { $0.hasSuffix("), so no flush position is reported from now on") }, "\(result)")
        #expect(primary.logTail.matches(of: /FATAL: .*max_wal_senders/).count == 1)
        // The copy is complete: nothing keeps the slot from moving to its end.
        let end = try #require(result.errorOutput.firstMatch(of: /log end point: ([0-9A-F\/]+)/)?.1)
        #expect(try LSN(primary.sql("SELECT restart_lsn FROM pg_replication_slots")) == LSN(String(end)))
    }

    @Test func `with --no-sync a slot that was never used holds WAL from the start, and moves`() throws {
        let primary = try cluster(.newest, names: "")
        try primary.sql("SELECT pg_create_physical_replication_slot('unused')")
        let target = TestDirectory.freshPath("backup")
        let backup = try startBasebackup(primary, to: target, ["-r", "8M", "-v", "-N", "-S", "unused"])
        try primary.waitUntilCopying(backup)
        let held = "SELECT restart_lsn FROM pg_replication_slots"
        let first = try #require(LSN(try primary.sql(held)))
        let result = backup.wait()
        #expect(result.status == 0, "\(result)")
        let end = try #require(result.errorOutput.firstMatch(of: /log end point: ([0-9A-F\/]+)/)?.1)
        #expect(try LSN(primary.sql(held)) == LSN(String(end)))
        #expect(try #require(LSN(String(end))) > first)
    }

    /// A slot of 9.4 and 9.5 can be made to hold WAL by a flush position only: by one that no commit waits for.
    @Test(arguments: Recording.versions.filter { $0 != "9.3" }, ["", "*"])
    func `a recorded server is told no flush position that a commit could wait for`(
        version: String, names: String
    ) async throws {
        let recording = try Recording(version)
        let server = try recording.serve(synchronousStandbyNames: names)
        var backup = BaseBackup(source: "host=127.0.0.1 port=\(server.port) user=r sslmode=disable gssencmode=disable")
        backup.options.checkpoint = .fast
        backup.options.slot = .create("made")
        backup.options.tablespaceMappings = [
            .init(from: recording.meta.tablespace.path, to: TestDirectory.freshPath("space"))
        ]
        let result = try await backup.run(into: .directory(TestDirectory.freshPath("backup")))
        let told = server.statuses.map(\.flushed)
        let isAsked = recording.major >= 10
        #expect(server.commands.contains("SHOW synchronous_standby_names") == isAsked)
        if isAsked && names.isEmpty {
            // Nobody waits: the slot is moved to the end.
            #expect(told.last == result.endLSN.rawValue)
        } else {
            let isReservedByIt = ["9.4", "9.5"].contains(version)
            #expect(told.first == (isReservedByIt ? UInt64(recording.meta.segment_size) : 0))
            #expect(told.dropFirst().allSatisfy { $0 == 0 })
        }
    }
}
