import Foundation
import Testing
import UnderstudyTestSupport

/// Where a run begins and ends, and the slots that keep WAL for it.
@Suite(.disabled(if: isStock)) struct ReceivewalPositionTests {
    private func run(_ arguments: [String], on cluster: Cluster) throws -> ProgramResult {
        try UnderstudyProgram.run(["receivewal", "-d", cluster.connectionString(), "-w", "-v"] + arguments)
    }

    /// The name of the segment of a position, also where that is a segment's start.
    private func segment(of position: String, _ cluster: Cluster) throws -> String {
        try cluster.sql("SELECT pg_walfile_name('\(position)'::pg_lsn + 1)")
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `the slot tells where an empty directory begins, and --endpos where it ends`(
        installation: PostgresInstallation
    ) throws {
        let cluster = try Cluster.keepingWAL(installation)
        try cluster.finishSegment()
        try cluster.makeSlot()
        let restart = try cluster.sql("SELECT restart_lsn FROM pg_replication_slots")
        try cluster.writeWAL(kilobytes: 2500)
        let end = try cluster.position()
        try cluster.finishSegment()
        let archive = try WALArchive()
        let result = try archive.receive(from: cluster, ["-S", "archive", "-E", end]).wait()
        #expect(result.status == 0, "\(result)")
        let first = try segment(of: restart, cluster), last = try segment(of: end, cluster)
        #expect(archive.names.first == first, "\(result)")
        #expect(archive.names.last?.hasPrefix(last) == true, "\(result)")
        #expect(archive.gaps(segmentMegabytes: 1) == [])
        #expect(try archive.differences(from: cluster) == [])
        #expect(result.errorOutput.contains("starting log streaming at "), "\(result)")
        // All of it was acknowledged.
        let kept = try cluster.sql("SELECT restart_lsn >= '\(end)' FROM pg_replication_slots")
        #expect(kept == "t")
    }

    @Test func `a directory goes on where it ended, with and without a partial segment`() throws {
        let cluster = try Cluster.keepingWAL(.newest)
        try cluster.finishSegment()
        let archive = try WALArchive()
        var program = try archive.receive(from: cluster)
        try cluster.waitForStream(program)
        try cluster.writeWAL(kilobytes: 1500)
        try archive.wait(for: try cluster.finishSegment(), program)
        #expect(program.stop().status == 0)
        let before = archive.names
        try cluster.writeWAL(kilobytes: 3000)
        let last = try cluster.finishSegment()
        program = try archive.receive(from: cluster)
        try archive.wait(for: last, program)
        #expect(program.stop().status == 0)
        #expect(archive.segments.count > before.count + 2)
        #expect(archive.gaps(segmentMegabytes: 1) == [])
        #expect(try archive.differences(from: cluster) == [])

        for name in archive.partials { try FileManager.default.removeItem(atPath: "\(archive.path)/\(name)") }
        let next = try cluster.finishSegment()
        program = try archive.receive(from: cluster)
        try archive.wait(for: next, program)
        #expect(program.stop().status == 0)
        #expect(archive.gaps(segmentMegabytes: 1) == [])
        #expect(try archive.differences(from: cluster) == [])
    }

    @Test func `--start-lsn moves the start forward, but not back`() throws {
        let cluster = try Cluster.keepingWAL(.newest)
        try cluster.finishSegment()
        let early = try cluster.position()
        try cluster.writeWAL(kilobytes: 3000)
        let late = try cluster.position()
        try cluster.writeWAL(kilobytes: 1500)
        let archive = try WALArchive()
        var result = try archive.receive(from: cluster, ["--start-lsn", late, "-E", late]).wait()
        #expect(result.status == 0, "\(result)")
        #expect(archive.names.first?.prefix(24) == Substring(try segment(of: late, cluster)), "\(result)")
        let last = archive.names.last
        let end = try cluster.position()
        try cluster.finishSegment()
        result = try archive.receive(from: cluster, ["--start-lsn", early, "-E", end]).wait()
        #expect(result.status == 0, "\(result)")
        #expect(archive.names.first?.prefix(24) == last?.prefix(24), "\(result)")
        #expect(archive.gaps(segmentMegabytes: 1) == [])
        #expect(try archive.differences(from: cluster) == [])
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `slots are made and dropped`(installation: PostgresInstallation) throws {
        let cluster = try Cluster.keepingWAL(installation)
        var result = try run(["--create-slot", "-S", "archive"], on: cluster)
        #expect(result.status == 0, "\(result)")
        #expect(result.errorOutput == "understudy: creating replication slot \"archive\"\n")
        #expect(try cluster.holds("SELECT restart_lsn IS NULL AND NOT temporary FROM pg_replication_slots"))
        result = try run(["--create-slot", "-S", "archive"], on: cluster)
        expectRefused(result, "could not create replication slot \"archive\"", "already exists", hint: false)
        result = try run(["--create-slot", "-S", "archive", "--if-not-exists"], on: cluster)
        #expect(result.status == 0, "\(result)")
        // It keeps WAL from its first use on.
        let archive = try WALArchive()
        let program = try archive.receive(from: cluster, ["-S", "archive"])
        try cluster.waitForStream(program)
        try archive.wait(for: try cluster.finishSegment(), program)
        #expect(program.stop().status == 0)
        try cluster.waitUntilFree()
        #expect(try cluster.holds("SELECT restart_lsn IS NOT NULL FROM pg_replication_slots"))
        result = try run(["--drop-slot", "-S", "archive"], on: cluster)
        #expect(result.status == 0, "\(result)")
        #expect(try cluster.slots() == [])
        result = try run(["--drop-slot", "-S", "archive"], on: cluster)
        expectRefused(result, "could not drop replication slot \"archive\"", "does not exist", hint: false)
    }
}
