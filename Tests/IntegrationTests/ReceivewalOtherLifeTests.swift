import Foundation
import Testing
import UnderstudyTestSupport

/// WAL of another life of the server, with the same system identifier and timeline, does not get into an archive.
@Suite(.disabled(if: isStock)) struct ReceivewalOtherLifeTests {
    private func copy(_ from: String, to: String) throws {
        try Program.check("/bin/sh", ["-c", "rm -rf \"$1\" && cp -a \"$0\" \"$1\"", from, to])
    }

    // MARK: - A snapshot put back

    @Test(arguments: pairs(PostgresInstallation.outermost, ["none", "gzip"]))
    func `an older copy of the server that is put back ends the run, and the way out works`(
        installation: PostgresInstallation, method: String
    ) throws {
        let cluster = try Cluster.keepingWAL(installation)
        try cluster.makeSlot()
        let archive = try WALArchive(), arguments = ["-S", "archive", "-Z", method]
        var program = try archive.receive(from: cluster, arguments)
        try cluster.waitForStream(program)
        try archive.wait(for: try cluster.finishSegment(), program)
        try cluster.stop()
        let snapshot = TestDirectory.freshPath("snapshot")
        try copy(cluster.directory, to: snapshot)
        try cluster.start()
        // The first life: a full segment, some that are nearly empty, and a partial one.
        try cluster.writeWAL(kilobytes: 1500)
        try cluster.finishSegment()
        let last = try cluster.finishSegment()
        try archive.wait(for: last, program)
        try cluster.sql("CREATE TABLE first AS SELECT 1")
        try cluster.waitForFlush(of: try cluster.position(), program)
        let restart = try cluster.sql("SELECT restart_lsn FROM pg_replication_slots")
        try cluster.stop()
        let names = archive.snapshot
        try copy(snapshot, to: cluster.directory)
        try cluster.start()
        // The receiver is still there, and tries again.
        var result = program.wait()
        expectRefused(
            result, "server is behind the archive: its WAL ends at ", "An older copy of the server",
            "another directory, with a new base backup", "and all later ones out of \"\(archive.path)\"")
        #expect(archive.snapshot == names)

        // The second life passes the end of the first.
        try cluster.writeWAL(kilobytes: 1500)
        while try !cluster.holds("SELECT pg_current_wal_flush_lsn() > '\(restart)'::pg_lsn + 2097152") {
            try cluster.finishSegment()
        }
        let slot = try cluster.sql("SELECT restart_lsn FROM pg_replication_slots")
        result = try archive.receive(from: cluster, arguments).wait()
        expectRefused(
            result, "server has other WAL than the archive at ", "(timeline 1)", "An older copy of the server",
            "another directory, with a new base backup", "and all later ones out of \"\(archive.path)\"")
        #expect(!result.errorOutput.contains("starting log streaming"), "\(result)")
        #expect(archive.snapshot == names)
        #expect(try cluster.sql("SELECT restart_lsn FROM pg_replication_slots") == slot)

        // What the hint says, until nothing of the first life is left.
        for _ in 1...10 where result.status != 0 {
            let hint = try #require(result.errorOutput.split(separator: "move segment ").last)
            let first = hint.prefix(24)
            for name in archive.names where name.prefix(24) >= first {
                try FileManager.default.removeItem(atPath: "\(archive.path)/\(name)")
            }
            program = try archive.receive(from: cluster, arguments)
            try eventually("a stream or the end: \(program.errorOutput)") {
                !program.isRunning || program.errorOutput.contains("starting log streaming at ")
            }
            if program.isRunning { break }
            result = program.wait()
        }
        try archive.wait(for: try cluster.finishSegment(), program)
        #expect(program.stop().status == 0)
        #expect(archive.gaps(segmentMegabytes: 1) == [])
        #expect(try archive.differences(from: cluster) == [])
    }

    /// The WAL that the archive ends with is not there to be compared: that is no error, and the start is the same.
    @Test func `what the server has removed is not compared`() throws {
        var options = Cluster.Options()
        options.walSegmentMegabytes = 1
        options.settings = ["min_wal_size = 2MB", "wal_keep_size = 0", "autovacuum = off"]
        let cluster = try Cluster(.newest, options)
        let archive = try WALArchive()
        var program = try archive.receive(from: cluster)
        try cluster.waitForStream(program)
        let first = try cluster.finishSegment()
        try archive.wait(for: first, program)
        #expect(program.stop().status == 0)
        for name in archive.partials { try FileManager.default.removeItem(atPath: "\(archive.path)/\(name)") }
        // Only the segment that the archive has goes.
        try eventually("the removal of \(first)", polls: 50) {
            try cluster.sql("CHECKPOINT")
            return !FileTree.exists("\(cluster.directory)/pg_wal/\(first)")
        }
        program = try archive.receive(from: cluster)
        try program.waitToSay("starting log streaming at ")
        #expect(program.errorOutput.contains("cannot be compared with the server's WAL: "), "\(program.errorOutput)")
        let number = try #require(UInt64(first.suffix(8), radix: 16))
        // Zeros follow a switch.
        let range = String(format: "from 0/%X up to 0/%X", number << 20, number)
        #expect(program.errorOutput.contains("WAL of the archive \(range)"), "\(range): \(program.errorOutput)")
        #expect(!program.errorOutput.contains("error"), "\(program.errorOutput)")
        try archive.wait(for: try cluster.finishSegment(), program)
        #expect(program.stop().status == 0)
        #expect(archive.gaps(segmentMegabytes: 1) == [])
    }

    /// It was begun when the server was there: what came before may have been moved elsewhere.
    @Test func `a partial segment that holds nothing shows where the server was, too`() throws {
        let cluster = try Cluster.keepingWAL(.newest)
        for (method, suffix, size) in [("none", "", 1 << 20), ("gzip", ".gz", 0)] {
            let archive = try WALArchive()
            let name = "0000000100000000000000F0\(suffix).partial"
            try Data(count: size).write(to: URL(fileURLWithPath: "\(archive.path)/\(name)"))
            let result = try archive.receive(from: cluster, ["-Z", method]).wait()
            expectRefused(
                result, "server is behind the archive: its WAL ends at ", "the archive's at 0/F000000 (timeline 1)",
                "another directory, with a new base backup", "and all later ones out of \"\(archive.path)\"")
            #expect(archive.names == [name])
        }
    }

    /// A standby may lag: it is waited for.
    @Test func `a standby that is behind the archive is waited for`() throws {
        let primary = try Cluster.keepingWAL(.newest)
        let target = TestDirectory.freshPath("standby")
        #expect(try basebackup(primary, to: target, ["-R"]).status == 0)
        let archive = try WALArchive()
        var program = try archive.receive(from: primary)
        try primary.waitForStream(program)
        try primary.writeWAL(kilobytes: 2500)
        try archive.wait(for: try primary.finishSegment(), program)
        #expect(program.stop().status == 0)
        let standby = try Cluster(copy: target, of: primary)
        try standby.append(["primary_conninfo = ''"], to: "postgresql.auto.conf")
        try standby.start()
        program = try archive.receive(from: standby)
        try program.waitToSay("to try again")
        #expect(program.errorOutput.contains("it may be a standby that lags"), "\(program.errorOutput)")
        try standby.sql("ALTER SYSTEM SET primary_conninfo = '\(primary.connectionString())'")
        try standby.sql("SELECT pg_reload_conf()")
        try archive.wait(for: try primary.finishSegment(), program)
        #expect(program.stop().status == 0)
        #expect(try archive.differences(from: primary) == [])
    }

    // MARK: - A copy of pg_wal

    @Test(arguments: pairs(PostgresInstallation.outermost, [false, true]))
    func `an archive that was begun as a copy of pg_wal goes on where real WAL ends`(
        installation: PostgresInstallation, isCompressed: Bool
    ) throws {
        var options = Cluster.Options()
        options.walSegmentMegabytes = 1
        options.settings = ["min_wal_size = 8MB", "wal_keep_size = 0", "autovacuum = off"]
        let cluster = try Cluster(installation, options)
        try cluster.writeWAL(kilobytes: 6000)
        try eventually("recycled segments", polls: 50) {
            try cluster.sql("CREATE TABLE t AS SELECT 1; DROP TABLE t; CHECKPOINT")
            let present = try cluster.sql("SELECT pg_walfile_name(pg_current_wal_flush_lsn())")
            return FileTree.names("\(cluster.directory)/pg_wal").contains { $0.count == 24 && $0 > present }
        }
        try cluster.sql("ALTER SYSTEM SET wal_keep_size = '4GB'")
        try cluster.sql("SELECT pg_reload_conf()")
        try cluster.sql("CREATE TABLE copied AS SELECT 1")
        let present = try cluster.sql("SELECT pg_walfile_name(pg_current_wal_flush_lsn())")
        let archive = try WALArchive()
        try Program.check(
            "/bin/sh",
            [
                "-c",
                "cp \"$0\"/pg_wal/????????????????????????  \"$1\" && cd \"$1\" && \(isCompressed ? "gzip *" : ":")",
                cluster.directory, archive.path,
            ])
        let future = archive.segments.filter { $0.prefix(24) > present }
        #expect(!future.isEmpty)
        let program = try archive.receive(from: cluster, isCompressed ? ["-Z", "gzip"] : [])
        try program.waitToSay("starting log streaming at ")
        #expect(program.errorOutput.contains("did not hold the WAL that the name says"), "\(program.errorOutput)")
        #expect(program.errorOutput.contains("is not complete, and is partial now"), "\(program.errorOutput)")
        #expect(!archive.segments.contains { $0.prefix(24) >= present }, "\(archive.names)")
        try cluster.writeWAL(kilobytes: 2500)
        try archive.wait(for: try cluster.finishSegment(), program)
        #expect(program.stop().status == 0)
        #expect(FileTree.names("\(archive.path)/diverged").count == future.count)
        #expect(archive.gaps(segmentMegabytes: 1) == [])
        #expect(try archive.differences(from: cluster) == [])
    }
}
