import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// What the server is told, and when: everything on stable storage, soon, and once more at the end.
@Suite(.disabled(if: isStock)) struct ReceivewalAcknowledgementTests {
    @Test(arguments: pairs(PostgresInstallation.outermost, ["none", "zstd"]))
    func `the flush position comes after the server's end without --synchronous`(
        installation: PostgresInstallation, method: String
    ) throws {
        let cluster = try Cluster.keepingWAL(installation)
        try cluster.finishSegment()
        let archive = try WALArchive()
        // No status at intervals: each acknowledgement is of something new.
        let program = try archive.receive(from: cluster, ["-s", "0", "-Z", method])
        try cluster.waitForStream(program)
        for kilobytes in [32, 500, 3000] {
            try cluster.writeWAL(kilobytes: kilobytes)
            try cluster.waitForFlush(of: try cluster.position(), program)
        }
        let row = try cluster.sql("SELECT write_lsn >= flush_lsn, replay_lsn IS NULL FROM pg_stat_replication")
        #expect(row.hasPrefix("t|"), "\(row)")
        #expect(program.stop().status == 0)
    }

    @Test(arguments: pairs(PostgresInstallation.outermost, [["--synchronous"], []]))
    func `a commit that waits for the receiver returns`(
        installation: PostgresInstallation, options: [String]
    ) throws {
        let cluster = try Cluster.keepingWAL(installation, ["synchronous_standby_names = 'archive1'"])
        let archive = try WALArchive()
        // Nobody acknowledges yet, so the statements of this session do not wait.
        let connection = cluster.connectionString() + " application_name=archive1"
        let program = try archive.receive(connection, options, of: installation)
        // Without the option it finds out over SQL that commits wait for it.
        try eventually("the only synchronous standby: \(program.errorOutput)") {
            try cluster.holds("SELECT coalesce(bool_or(sync_state = 'sync'), false) FROM pg_stat_replication")
        }
        try cluster.sql("CREATE TABLE t (n int)")
        for n in 1...20 { try cluster.sql("INSERT INTO t VALUES (\(n))") }
        try cluster.waitForFlush(of: try cluster.position(), program)
        #expect(try cluster.sql("SELECT count(*) FROM t") == "20")
        #expect(program.stop().status == 0)
    }

    /// Under our own name by a role that is not told the state of its WAL sender.
    @Test(arguments: [true, false])
    func `commits that wait for a replay are warned of, once`(asLink: Bool) throws {
        let cluster = try Cluster.keepingWAL(.newest)
        // Of a role, which only SQL tells, or of all.
        try cluster.sql(
            asLink
                ? "ALTER SYSTEM SET synchronous_commit = remote_apply"
                : "CREATE ROLE r LOGIN REPLICATION; ALTER ROLE r SET synchronous_commit = remote_apply")
        try cluster.sql("ALTER SYSTEM SET synchronous_standby_names = 'archive1'")
        try cluster.restart()
        let archive = try WALArchive()
        var path = UnderstudyProgram.path, words = ["receivewal"]
        if asLink {
            path = "\(try TestDirectory.make("links", mode: 0o755))/pg_receivewal"
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: UnderstudyProgram.path)
            words = []
        }
        let program = try Program(
            path,
            words + [
                "-D", archive.path, "-d",
                "\(cluster.connectionString(user: asLink ? "postgres" : "r")) application_name=archive1",
            ],
            environment: UnderstudyProgram.environment)
        let warning = "wait for this receiver, which replays nothing: they never return"
        try eventually("the warning: \(program.errorOutput)") { program.errorOutput.contains(warning) }
        #expect(program.stop().errorOutput.components(separatedBy: warning).count == 2)
    }

    @Test(arguments: pairs(PostgresInstallation.outermost, [SIGINT, SIGTERM, SIGHUP]))
    func `a signal ends it in order: all that came is acknowledged, and the stock tool's lines are said`(
        installation: PostgresInstallation, signal: Int32
    ) throws {
        let cluster = try Cluster.keepingWAL(installation)
        try cluster.finishSegment()
        try cluster.makeSlot()
        let archive = try WALArchive()
        let program = try archive.receive(from: cluster, ["-S", "archive", "-s", "0"])
        let last = try cluster.finishSegment()
        try archive.wait(for: last, program)
        try cluster.writeWAL(kilobytes: 100)
        let position = try cluster.position()
        try eventually("its arrival: \(program.errorOutput)") {
            try !archive.partials.isEmpty
                && cluster.holds("SELECT coalesce(bool_or(sent_lsn >= '\(position)'), false) FROM pg_stat_replication")
        }
        let result = program.stop(signal)
        #expect(result.status == 0, "\(result)")
        try cluster.waitUntilFree()
        let partial = try #require(archive.partials.first)
        // The last byte that was received lies in the partial segment, and so does what the slot keeps.
        #expect(
            try cluster.sql("SELECT pg_walfile_name(restart_lsn) FROM pg_replication_slots") == partial.prefix(24),
            "\(result)")
        for line in [
            "starting log streaming at ", "finished segment at ", "(timeline 1)", "received interrupt signal, exiting",
            "not renaming \"\(partial)\", segment is not complete",
        ] { #expect(result.errorOutput.contains(line), "\(result)") }
        #expect(!result.errorOutput.contains("error: "), "\(result)")
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `with a slot and --no-sync the slot moves with what is written`(installation: PostgresInstallation) throws {
        let cluster = try Cluster.keepingWAL(installation)
        try cluster.makeSlot()
        let archive = try WALArchive()
        let program = try archive.receive(from: cluster, ["-S", "archive", "--no-sync", "-s", "1"])
        try cluster.waitForStream(program)
        try cluster.writeWAL(kilobytes: 1200)
        let position = try cluster.position()
        try cluster.waitForFlush(of: position, program)
        #expect(try cluster.holds("SELECT bool_and(restart_lsn >= '\(position)') FROM pg_replication_slots"))
        #expect(program.stop().status == 0)
    }

    @Test func `without a slot and with --no-sync nothing is reported as flushed, but what is written`() throws {
        let cluster = try Cluster.keepingWAL(.newest)
        let archive = try WALArchive()
        let program = try archive.receive(from: cluster, ["--no-sync", "-s", "1"])
        try cluster.waitForStream(program)
        try archive.wait(for: try cluster.finishSegment(), program)
        let position = try cluster.position()
        try eventually("what is written: \(program.errorOutput)") {
            try cluster.holds("SELECT coalesce(bool_or(write_lsn >= '\(position)'), false) FROM pg_stat_replication")
        }
        #expect(try cluster.holds("SELECT bool_and(flush_lsn IS NULL) FROM pg_stat_replication"))
        #expect(program.stop().status == 0)
    }

    @Test(arguments: ["none", "gzip"])
    func `a file that is taken away while it is written ends the run, which says what is missing`(
        method: String
    ) throws {
        let cluster = try Cluster.keepingWAL(.newest)
        let archive = try WALArchive()
        var program = try archive.receive(from: cluster, ["-Z", method])
        try cluster.waitForStream(program)
        try archive.wait(for: try cluster.finishSegment(), program)
        try cluster.writeWAL(kilobytes: 100)
        try cluster.waitForFlush(of: try cluster.position(), program)
        let partial = try #require(archive.partials.first)
        try FileManager.default.removeItem(atPath: "\(archive.path)/\(partial)")
        // It may be noticed with the next sync, or when the segment ends.
        try cluster.finishSegment()
        let result = program.wait()
        #expect(result.status == 1, "\(result)")
        let lines = [
            "\(partial)\" was removed or replaced while it was being written",
            "(timeline 1) is missing in the archive.",
        ]
        for line in lines { #expect(result.errorOutput.contains(line), "\(result)") }
        #expect(!archive.segments.contains { partial.hasPrefix($0) }, "\(archive.names)")
        // The server has it still.
        let last = try cluster.finishSegment()
        program = try archive.receive(from: cluster, ["-Z", method])
        try archive.wait(for: last, program)
        #expect(program.stop().status == 0)
        #expect(archive.gaps(segmentMegabytes: 1) == [])
        #expect(try archive.differences(from: cluster) == [])
    }
}
