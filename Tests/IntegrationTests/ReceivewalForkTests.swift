import Foundation
import Testing
import UnderstudyTestSupport

/// After a failover to a server that has removed what it should send first, the archive restores all that was acknowledged
/// before the fork.
@Suite(.disabled(if: isStock)) struct ReceivewalForkTests {
    @Test(arguments: pairs(PostgresInstallation.outermost, ["none", "gzip"]), [true, false])
    func `what a new primary has removed stays in the archive up to the fork`(
        what: (installation: PostgresInstallation, method: String), isComplete: Bool
    ) throws {
        let primary = try Cluster.keepingWAL(what.installation)
        let target = TestDirectory.freshPath("standby")
        #expect(try basebackup(primary, to: target, ["-R"]).status == 0)
        let standby = try Cluster(copy: target, of: primary)
        try standby.start()
        let archive = try WALArchive(), arguments = ["-Z", what.method]
        let program = try archive.receive(from: primary, arguments)
        try eventually("standby and receiver stream: \(program.errorOutput)") {
            try primary.holds("SELECT count(*) = 2 FROM pg_stat_replication WHERE state = 'streaming'")
        }
        let backup = TestDirectory.freshPath("backup")
        #expect(try basebackup(primary, to: backup, ["-X", "none"]).status == 0)
        try archive.wait(for: try primary.finishSegment(), program)
        try primary.sql("CREATE TABLE story (line text); INSERT INTO story VALUES ('before')")
        try primary.waitForReplay(on: standby)
        try standby.stop()
        try primary.sql("INSERT INTO story VALUES ('only on the old primary')")
        if isComplete { try archive.wait(for: try primary.finishSegment(), program) }
        try primary.waitForFlush(of: try primary.position(), program)
        #expect(program.stop().status == 0)
        try primary.stop(.immediate)

        try standby.append(["wal_keep_size = 0", "min_wal_size = 2MB"], to: "postgresql.auto.conf")
        try standby.start()
        try standby.sql("SELECT pg_promote()")
        let history = try FileTree.text("\(standby.directory)/pg_wal/00000002.history")
        let fork = try #require(history.split(separator: "\t").dropFirst().first)
        let segment = try standby.sql("SELECT substr(pg_walfile_name('\(fork)'), 9)")
        try eventually("the removal of \(segment)", polls: 50) {
            try standby.sql("CREATE TABLE t AS SELECT 1; DROP TABLE t; SELECT pg_switch_wal(); CHECKPOINT")
            return !FileTree.exists("\(standby.directory)/pg_wal/00000002\(segment)")
        }
        for _ in 1...2 {
            let result = try archive.receive(from: standby, arguments).wait()
            expectRefused(result, "has already been removed", "detail: WAL from \(fork) up to ", "--start-lsn=")
        }
        #expect(archive.partials.map { $0.prefix(24) } == ["00000001\(segment)"], "\(archive.names)")
        #expect(!FileTree.names("\(archive.path)/diverged").isEmpty)

        // As the guide says it.
        let copy = try Cluster(copy: backup, of: primary)
        let restore =
            what.method == "none"
            ? "cp \(archive.path)/%f \"%p\" || cp \(archive.path)/%f.partial \"%p\""
            : "gunzip -c \(archive.path)/%f.gz > \"%p\" || { gunzip -c \(archive.path)/%f.gz.partial > \"%p\"; test -s \"%p\" && truncate -s 1M \"%p\"; }"
        try copy.append(["restore_command = '\(restore)'"], to: "postgresql.auto.conf")
        try TestDirectory.write("", to: "\(backup)/recovery.signal")
        try copy.start()
        try eventually("the end of recovery: \(copy.logTail)") { try copy.holds("SELECT NOT pg_is_in_recovery()") }
        #expect(try copy.sql("SELECT * FROM story") == "before")
    }
}
