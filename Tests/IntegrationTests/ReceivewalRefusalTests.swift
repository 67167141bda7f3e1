import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// What cannot work is refused with words that help, and nothing of what is there is touched.
@Suite(.disabled(if: isStock)) struct ReceivewalRefusalTests {
    // MARK: - Slots

    @Test(arguments: PostgresInstallation.outermost)
    func `a slot that does not exist, or is logical, is refused`(installation: PostgresInstallation) throws {
        let cluster = try Cluster.keepingWAL(installation, ["wal_level = logical"])
        let archive = try WALArchive()
        var result = try archive.receive(from: cluster, ["-S", "nope"]).wait()
        expectRefused(result, "replication slot \"nope\" does not exist", "--create-slot")
        try cluster.sql("SELECT pg_create_logical_replication_slot('words', 'pgoutput')")
        result = try archive.receive(from: cluster, ["-S", "words"]).wait()
        expectRefused(result, "replication slot \"words\"", "it is a logical slot")
        #expect(!result.errorOutput.contains("holds no WAL"), "\(result)")
        #expect(archive.names == [])
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `a slot that another receiver has is waited for, and with -n refused`(
        installation: PostgresInstallation
    ) throws {
        let cluster = try Cluster.keepingWAL(installation)
        try cluster.makeSlot()
        let first = try WALArchive(), second = try WALArchive()
        let holder = try first.receive(from: cluster, ["-S", "archive"], by: .stock)
        try cluster.waitForStream(holder)
        let result = try second.receive(from: cluster, ["-S", "archive", "-n"]).wait()
        expectRefused(result, "\"archive\" is active for PID", hint: false)
        let program = try second.receive(from: cluster, ["-S", "archive"])
        try program.waitToSay("to try again")
        #expect(program.errorOutput.contains("\"archive\" is active for PID"), "\(program.errorOutput)")
        holder.send(SIGKILL)
        try second.wait(for: try cluster.finishSegment(), program)
        #expect(program.stop().status == 0)
    }

    // MARK: - The server

    @Test(arguments: PostgresInstallation.outermost)
    func `WAL that the server has removed is named, and the way out works`(
        installation: PostgresInstallation
    ) throws {
        var options = Cluster.Options()
        options.walSegmentMegabytes = 1
        // No checkpoint but those asked for: one that comes by itself would remove more, a moment later.
        options.settings = ["min_wal_size = 2MB", "wal_keep_size = 0", "autovacuum = off"]
        let cluster = try Cluster(installation, options)
        let archive = try WALArchive()
        var program = try archive.receive(from: cluster)
        try cluster.waitForStream(program)
        let first = try cluster.finishSegment()
        try archive.wait(for: first, program)
        #expect(program.stop().status == 0)
        let names = archive.snapshot
        let next = try (archive.partials.first ?? cluster.finishSegment()).prefix(24)
        try eventually("the removal of \(next)", polls: 50) {
            try cluster.sql("CREATE TABLE t AS SELECT 1; DROP TABLE t; SELECT pg_switch_wal(); CHECKPOINT")
            return !FileTree.exists("\(cluster.directory)/pg_wal/\(next)")
        }
        let result = try archive.receive(from: cluster).wait()
        expectRefused(
            result, "requested WAL segment \(next) has already been removed", "detail: WAL from ", " up to ",
            "take a new base backup", "--start-lsn=", "replication slot")
        #expect(archive.snapshot == names)
        let hint = try #require(result.errorOutput.split(separator: "--start-lsn=").last)
        let start = String(hint.prefix { $0.isHexDigit || $0 == "/" })
        #expect(result.errorOutput.contains("up to \(start) "), "\(result)")
        // It is the first that there is.
        let oldest = try cluster.sql("SELECT pg_walfile_name('\(start)'::pg_lsn + 1)")
        #expect(FileTree.exists("\(cluster.directory)/pg_wal/\(oldest)"), "\(result)")
        program = try archive.receive(from: cluster, ["--start-lsn", start])
        try cluster.waitForStream(program)
        try cluster.finishSegment()
        try archive.wait(for: oldest, program)
        #expect(program.stop().status == 0)
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `a role that may not replicate is refused`(installation: PostgresInstallation) throws {
        let cluster = try Cluster.keepingWAL(installation)
        try cluster.sql("CREATE ROLE nobody LOGIN; CREATE ROLE r LOGIN REPLICATION")
        let archive = try WALArchive()
        let result = try archive.receive(
            cluster.connectionString(user: "nobody"), of: installation
        ).wait()
        expectRefused(result, "REPLICATION")
        // And one that may do nothing else is enough.
        let program = try archive.receive(cluster.connectionString(user: "r"), of: installation)
        try cluster.waitForStream(program)
        try archive.wait(for: try cluster.finishSegment(), program)
        #expect(program.stop().status == 0)
    }

    @Test func `a server that is not there at first is refused`() throws {
        let archive = try WALArchive()
        let port = try Port.free()
        let result = try archive.receive("host=127.0.0.1 port=\(port) user=postgres", ["-n"], of: .newest).wait()
        expectRefused(result, "Connection refused", hint: false)
        #expect(archive.names == [])
    }

    // MARK: - The directory

    @Test func `WAL of another cluster is left alone`() throws {
        // Clusters of equal options are copies of one, with one identifier.
        var options = Cluster.Options()
        options.walSegmentMegabytes = 1
        options.checksums = false
        let archive = try WALArchive()
        try fill(archive, from: try Cluster(.newest, options))
        let cluster = try Cluster.keepingWAL(.newest)
        let before = archive.snapshot
        let result = try archive.receive(from: cluster).wait()
        expectRefused(result, "holds WAL of another database cluster", "The system identifier in ")
        #expect(archive.snapshot == before)
    }

    private func fill(_ archive: WALArchive, from cluster: Cluster) throws {
        let program = try archive.receive(from: cluster)
        try cluster.waitForStream(program)
        try archive.wait(for: try cluster.finishSegment(), program)
        #expect(program.stop().status == 0)
    }

    @Test(arguments: ["none", "gzip"])
    func `segments of another size are left alone`(method: String) throws {
        let archive = try WALArchive()
        let other = try Cluster.keepingWAL(.newest, segmentMegabytes: 16)
        let program = try archive.receive(from: other, ["-Z", method])
        try other.waitForStream(program)
        try archive.wait(for: try other.finishSegment(), program)
        #expect(program.stop().status == 0)
        let before = archive.snapshot
        let cluster = try Cluster.keepingWAL(.newest)
        let result = try archive.receive(from: cluster, ["-Z", method]).wait()
        expectRefused(result, "directory \"\(archive.path)\" holds WAL")
        #expect(archive.snapshot == before)
    }

    @Test func `a file of a wrong length is warned of, and never overwritten`() throws {
        let cluster = try Cluster.keepingWAL(.newest)
        let archive = try WALArchive()
        try fill(archive, from: cluster)
        for name in archive.partials { try FileManager.default.removeItem(atPath: "\(archive.path)/\(name)") }
        let broken = try #require(archive.segments.last)
        try TestDirectory.write("broken", to: "\(archive.path)/\(broken)")
        let program = try archive.receive(from: cluster)
        try program.waitToSay("\(broken)\" has incorrect size 6, skipping")
        try archive.wait(for: try cluster.finishSegment(), program)
        let result = program.stop()
        #expect(result.status == 0, "\(result)")
        let texts = try FileTree.names("\(archive.path)/diverged").map {
            try FileTree.text("\(archive.path)/diverged/\($0)")
        }
        #expect(try texts == ["broken"] || FileTree.text("\(archive.path)/\(broken)") == "broken", "\(result)")
        #expect(archive.gaps(segmentMegabytes: 1) == [])
    }

    @Test func `a directory that is missing, closed, or no directory is refused`() throws {
        let cluster = try Cluster.keepingWAL(.newest)
        let path = TestDirectory.freshPath("missing")
        var result = try WALArchive(at: path).receive(from: cluster).wait()
        expectRefused(result, "\"\(path)\"", "No such file or directory", "Make the directory first: mkdir")
        #expect(!FileTree.exists(path))
        try TestDirectory.write("", to: path)
        result = try WALArchive(at: path).receive(from: cluster).wait()
        expectRefused(result, "\"\(path)\"", "Not a directory")
        let closed = try WALArchive(at: try TestDirectory.make("closed", mode: 0o500))
        let program = try closed.receive(from: cluster)
        try eventually("the end, or more to write: \(program.errorOutput)") {
            if program.isRunning { try cluster.finishSegment() }
            return !program.isRunning
        }
        result = program.wait()
        expectRefused(result, "\"\(closed.path)", "Permission denied")
        #expect(closed.names == [])
    }
}
