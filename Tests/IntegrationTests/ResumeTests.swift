import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// Runs that were interrupted, and those that go on from what they left.
@Suite(.disabled(if: isStock)) struct ResumeTests {
    private static let mark = "pgsql_tmp.understudy"

    private func makeCluster() throws -> (cluster: Cluster, space: String, mapped: String) {
        let cluster = try Cluster(.newest)
        let space = try cluster.makeTablespace("space")
        try cluster.sql("CREATE TABLE large AS SELECT i, repeat('x', 900) FROM generate_series(1, 5000) i")
        return (cluster, space, TestDirectory.freshPath("mapped"))
    }

    private func expectWhole(_ target: String, _ cluster: Cluster) throws {
        #expect(!FileTree.exists("\(target)/\(Self.mark)"))
        let standby = try Cluster(copy: target, of: cluster)
        try standby.start()
        // It streams, and the position of an idle primary may be one that no record reaches.
        try cluster.sql("CREATE TABLE streamed AS SELECT 1")
        try cluster.waitForReplay(on: standby)
        #expect(try cluster.differences(from: standby) == [])
        try standby.stop()
        try Program.check(cluster.installation.program("pg_checksums"), ["--check", "-D", target])
    }

    @Test func `what a broken connection has left is kept when asked for, and gone on with`() throws {
        let (cluster, space, mapped) = try makeCluster()
        let proxy = try NetworkProxy(to: cluster.port)
        let target = TestDirectory.freshPath("standby")
        func run(_ arguments: [String]) throws -> ProgramResult {
            try UnderstudyProgram.run(
                [
                    "clone", "--primary", cluster.connectionString(port: proxy.port), "-D", target, "--no-slot",
                    "-c", "fast", "-T", "\(space)=\(mapped)",
                ] + arguments)
        }
        proxy.change(to: .cut, afterBytes: 15_000_000)
        let failed = try run(["--keep-partial"])
        expectRefused(failed, "What has come is kept", "--resume", "--force-clean")
        #expect(failed.errorOutput.contains("to go on with it: understudy clone"), "\(failed)")
        #expect(try FileTree.text("\(target)/\(Self.mark)").contains("\nkept "))
        #expect(!FileTree.exists("\(target)/global/pg_control"))
        // Without a word about it, nobody else takes it.
        let refused = try run([])
        expectRefused(refused, "holds an unfinished base backup", "--resume", "--force-clean")

        proxy.set(.forwarding)
        let result = try run(["--resume"])
        #expect(result.status == 0, "\(result)")
        #expect(result.errorOutput.contains("were there already"), "\(result)")
        try expectWhole(target, cluster)
    }

    @Test func `a killed run is gone on with, and so is one that was killed while it did that`() throws {
        let (cluster, space, mapped) = try makeCluster()
        let target = TestDirectory.freshPath("standby")
        let arguments = [
            "basebackup", "-d", cluster.connectionString(), "-D", target, "-c", "fast", "-C", "-S", "standby1", "-R",
            "-T", "\(space)=\(mapped)",
        ]
        let first = try UnderstudyProgram.start(arguments + ["-r", "32"])
        try cluster.waitUntilCopying(first)
        try eventually("files of the tablespace") { FileTree.names(mapped).contains { $0.hasPrefix("PG_") } }
        first.send(SIGKILL)
        _ = first.wait()

        // The slot is in use until the server has noticed.
        try eventually("the end of all wal senders") {
            try cluster.holds("SELECT count(*) = 0 FROM pg_stat_replication")
        }

        let second = try UnderstudyProgram.start(arguments + ["--resume", "-r", "1M"])
        try eventually("the mark of the second run: \(second.errorOutput)") {
            try #require(second.isRunning, "\(second.wait())")
            let mark = try? FileTree.text("\(target)/\(Self.mark)")
            return mark?.contains("process \(second.processID)\n") == true
                && !FileTree.names("\(target)/base/5").isEmpty
        }
        second.send(SIGKILL)
        _ = second.wait()
        try eventually("the end of all wal senders") {
            try cluster.holds("SELECT count(*) = 0 FROM pg_stat_replication")
        }
        #expect(FileTree.exists("\(mapped)/\(Self.mark)"))

        let survey = try UnderstudyProgram.run(arguments + ["--resume", "--dry-run", "--progress=json"])
        #expect(survey.status == 0 && survey.output.contains("\"isInterrupted\":true"), "\(survey)")
        let result = try UnderstudyProgram.run(arguments + ["--resume"])
        #expect(result.status == 0, "\(result)")
        #expect(!FileTree.exists("\(mapped)/\(Self.mark)"))
        #expect(try cluster.slots() == ["standby1"])
        let verdict = try verify(target, of: cluster, ["-n"])
        #expect(verdict.status == 0, "\(verdict)")
        try expectWhole(target, cluster)
    }

    @Test func `a killed run over contents is gone on with, or given up when asked for`() throws {
        let (cluster, space, mapped) = try makeCluster()
        let target = TestDirectory.freshPath("copy")
        #expect(try basebackup(cluster, to: target, ["-T", "\(space)=\(mapped)"]).status == 0)
        try TestDirectory.make(at: "\(mapped)/PG_9.3_200000000")
        try cluster.sql("VACUUM FULL large")
        let killed = try startBasebackup(cluster, to: target, ["--delta", "-r", "1M"])
        try eventually("the copy: \(killed.errorOutput)") {
            try #require(killed.isRunning, "\(killed.wait())")
            return FileTree.exists("\(target)/\(Self.mark)") && FileTree.exists("\(mapped)/\(Self.mark)")
                && FileTree.names("\(target)/pg_wal").contains { $0.count == 24 }
        }
        killed.send(SIGTERM)
        let ended = killed.wait()
        #expect(ended.status == 1 && ended.errorOutput.contains("What has come is kept"), "\(ended)")
        // It goes on with the tablespace where that was found.
        #expect(ended.errorOutput.contains(" -T \(space)=\(mapped) --resume\n"), "\(ended)")
        #expect(FileTree.exists("\(target)/global/pgsql_tmp.understudy.pg_control"))

        let refused = try basebackup(cluster, to: target, [])
        expectRefused(refused, "with what the directory held before")
        // What else lies in a tablespace's directory is not the run's.
        let cleaned = try basebackup(cluster, to: target, ["--force-clean", "-T", "\(space)=\(mapped)2"])
        #expect(cleaned.status == 0, "\(cleaned)")
        #expect(FileTree.names(mapped) == ["PG_9.3_200000000"])
        #expect(try verify(target, of: cluster, ["-n"]).status == 0)
    }
}
