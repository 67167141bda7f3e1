import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// A slot that the server has invalidated is never taken for one that holds WAL.
@Suite(.disabled(if: isStock)) struct ReceivewalLostSlotTests {
    /// A server that invalidates a slot soon. `r` may replicate, and nothing else: no SQL tells it anything.
    private func makeCluster(_ installation: PostgresInstallation, _ settings: [String] = []) throws -> Cluster {
        var options = Cluster.Options()
        options.walSegmentMegabytes = 1
        options.settings =
            [
                "max_slot_wal_keep_size = 1MB", "max_wal_size = 2MB", "min_wal_size = 2MB", "wal_keep_size = 0",
                "autovacuum = off",
            ] + settings
        options.hostBasedAuthentication = [
            "local all,replication all trust", "host replication all 127.0.0.1/32 trust",
            "host all r 127.0.0.1/32 reject", "host all all 127.0.0.1/32 trust",
        ]
        let cluster = try Cluster(installation, options)
        try cluster.sql("CREATE ROLE r LOGIN REPLICATION")
        try cluster.makeSlot()
        return cluster
    }

    /// Receives a segment, so that there is an archive.
    private func begin(_ archive: WALArchive, _ cluster: Cluster, user: String) throws {
        let program = try archive.receive(
            cluster.connectionString(user: user), ["-S", "archive"], of: cluster.installation)
        try cluster.waitForStream(program)
        try archive.wait(for: try cluster.finishSegment(), program)
        try cluster.writeWAL(kilobytes: 100)
        try cluster.waitForFlush(of: try cluster.position(), program)
        #expect(program.stop().status == 0)
        try cluster.waitUntilFree()
    }

    /// Where the WAL of an archive ends that holds a partial segment, plain.
    private func end(of archive: WALArchive) throws -> String {
        let name = try #require(archive.partials.last)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(archive.path)/\(name)"))
        let count = try #require(bytes.lastIndex { $0 != 0 }) + 1
        let start = try #require(UInt64(name.dropFirst(16).prefix(8), radix: 16)) << 20
        return String(format: "0/%X", start + UInt64((count + 7) & ~7))
    }

    private func lose(_ cluster: Cluster) throws {
        try eventually("the loss of the slot's WAL", polls: 50) {
            try cluster.sql("CREATE TABLE t AS SELECT 1; DROP TABLE t; SELECT pg_switch_wal(); CHECKPOINT")
            return try cluster.holds("SELECT wal_status = 'lost' FROM pg_replication_slots")
        }
    }

    /// Restarts with the option that the hint names, and looks at what it leaves.
    private func goOn(_ archive: WALArchive, _ cluster: Cluster, user: String, expecting words: [String]) throws {
        let partials = archive.partials, end = try end(of: archive)
        let source = cluster.connectionString(user: user)
        let program = try archive.receive(source, ["-S", "archive", "--recreate-slot"], of: cluster.installation)
        try cluster.waitForStream(program)
        try archive.wait(for: try cluster.finishSegment(), program)
        let result = program.stop()
        #expect(result.status == 0, "\(result)")
        for word in words { #expect(result.errorOutput.contains(word), "\(result)") }
        #expect(result.errorOutput.contains("WAL from \(end) up to "), "\(end): \(result)")
        let missing = try #require(archive.names.first { $0.hasSuffix(".missing") })
        let note = try String(contentsOfFile: "\(archive.path)/\(missing)", encoding: .utf8)
        #expect(note.contains("\nstart \(end) 1\n"), "\(end): \(note)")
        #expect(partials.allSatisfy { archive.names.contains($0) && $0.prefix(24) == missing.prefix(24) })
        #expect(try archive.differences(from: cluster).allSatisfy { $0 < missing })
        #expect(try cluster.holds("SELECT wal_status = 'reserved' FROM pg_replication_slots"))
        // Said at every start, and no reason to begin anew.
        let again = try archive.receive(source, ["-S", "archive", "--recreate-slot"], of: cluster.installation)
        try cluster.waitForStream(again)
        let said = again.stop()
        #expect(said.errorOutput.contains("WAL from \(end) up to "), "\(end): \(said)")
        #expect(said.errorOutput.contains("is missing from the archive"), "\(said)")
        #expect(said.errorOutput.contains("hint: If the segments are still in "), "\(said)")
        #expect(!said.errorOutput.contains("is not in complete segments"), "\(said)")
        #expect(!said.errorOutput.contains("made anew"), "\(said)")
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `an invalidated slot ends the run with what is lost, and --recreate-slot goes on`(
        installation: PostgresInstallation
    ) throws {
        let cluster = try makeCluster(installation)
        let archive = try WALArchive()
        try begin(archive, cluster, user: "postgres")
        try lose(cluster)
        let before = archive.snapshot
        let result = try archive.receive(from: cluster, ["-S", "archive"]).wait()
        expectRefused(
            result, "replication slot \"archive\" was invalidated by the server",
            "detail: WAL from \(try end(of: archive)) up to ", "lost to it", "--recreate-slot", "--start-lsn=",
            "pg_drop_replication_slot('archive')")
        #expect(archive.snapshot == before)
        #expect(try cluster.holds("SELECT wal_status = 'lost' AND restart_lsn IS NULL FROM pg_replication_slots"))
        try goOn(
            archive, cluster, user: "postgres",
            expecting: ["was invalidated by the server", "made anew", "is missing from the archive"])
    }

    @Test(arguments: PostgresInstallation.all.filter { $0.major >= 15 })
    func `without SQL what can be told is told, once`(installation: PostgresInstallation) throws {
        let cluster = try makeCluster(installation)
        let archive = try WALArchive()
        try begin(archive, cluster, user: "r")
        try lose(cluster)
        let result = try archive.receive(
            cluster.connectionString(user: "r"), ["-S", "archive"], of: installation
        ).wait()
        if installation.major >= 18 {
            expectRefused(
                result, "replication slot \"archive\" was invalidated by the server (wal_removed)", "--recreate-slot")
        } else {
            expectRefused(
                result, "warning: replication slot \"archive\" holds no WAL", "has already been removed",
                "detail: WAL from \(try end(of: archive)) up to ", "--recreate-slot")
            #expect(result.errorOutput.split(separator: "holds no WAL").count == 2, "\(result)")
        }
        try goOn(archive, cluster, user: "r", expecting: ["made anew", "is missing from the archive"])
    }

    @Test(arguments: PostgresInstallation.outermost, ["postgres", "r"])
    func `a slot that is lost while the receiver stands still ends the run`(
        installation: PostgresInstallation, user: String
    ) throws {
        let cluster = try makeCluster(installation)
        let archive = try WALArchive()
        let program = try archive.receive(
            cluster.connectionString(user: user), ["-S", "archive", "-n"], of: installation)
        try cluster.waitForStream(program)
        try archive.wait(for: try cluster.finishSegment(), program)
        program.send(SIGSTOP)
        try lose(cluster)
        program.send(SIGCONT)
        let result = program.wait()
        if user == "r" && installation.major < 15 {
            // Nothing tells.
            expectRefused(result, "does not tell whether the server has invalidated", hint: false)
        } else {
            expectRefused(result, "replication slot \"archive\" was invalidated by the server", "--recreate-slot")
        }
    }

    @Test func `a slot that never held WAL, or holds it, is not made anew`() throws {
        let cluster = try makeCluster(.newest, ["max_slot_wal_keep_size = -1"])
        let archive = try WALArchive()
        for name in ["archive", "unused"] {
            if name == "unused" { try cluster.makeSlot(name, reservesWAL: false) }
            let program = try archive.receive(from: cluster, ["-S", name, "--recreate-slot"])
            try cluster.waitForStream(program)
            try archive.wait(for: try cluster.finishSegment(), program)
            let result = program.stop()
            #expect(result.status == 0 && !result.errorOutput.contains("anew"), "\(result)")
            try cluster.waitUntilFree(name)
        }
        // And one that is gone is made: a run may have been killed in between.
        try cluster.sql("SELECT pg_drop_replication_slot('archive')")
        let program = try archive.receive(from: cluster, ["-S", "archive", "--recreate-slot"])
        // A stream without the slot comes first: it compares the end of the archive.
        try eventually("the slot in use: \(program.errorOutput)") {
            try cluster.holds("SELECT count(*) = 1 FROM pg_replication_slots WHERE slot_name = 'archive' AND active")
        }
        let result = program.stop()
        #expect(result.status == 0, "\(result)")
        let row = try cluster.sql("SELECT * FROM pg_replication_slots WHERE slot_name = 'archive'")
        #expect(
            try cluster.holds("SELECT restart_lsn IS NOT NULL FROM pg_replication_slots WHERE slot_name = 'archive'"),
            "\(row) \(result)")
        #expect(archive.names.allSatisfy { !$0.hasSuffix(".missing") })
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `a base backup does not take it for one that holds WAL`(installation: PostgresInstallation) throws {
        let cluster = try makeCluster(installation)
        try lose(cluster)
        let target = TestDirectory.freshPath("target")
        let result = try UnderstudyProgram.run(
            Command.basebackup.arguments(cluster.connectionString(), target) + ["-S", "archive"])
        expectRefused(result, "cannot use replication slot \"archive\": it was invalidated by the server")
        #expect(!FileTree.exists(target))
        #expect(try cluster.holds("SELECT wal_status = 'lost' AND restart_lsn IS NULL FROM pg_replication_slots"))
    }
}
