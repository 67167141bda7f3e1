import Foundation
import Testing
import UnderstudyTestSupport

/// Archives on a disk that somebody else fills.
@Suite(.disabled(if: isStock), .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
struct ReceivewalDiskTests {
    private func fill(_ disk: MountedFileSystem, _ cluster: Cluster, _ program: Program) throws {
        try disk.fillUp()
        // More than the room that was allocated before.
        try cluster.writeWAL(kilobytes: 6000)
        try program.waitToSay("No space left on device")
    }

    private func sender(_ cluster: Cluster) throws -> String {
        try cluster.sql("SELECT pid FROM pg_stat_replication")
    }

    @Test(arguments: pairs(PostgresInstallation.outermost, ["none", "gzip"]))
    func `a full disk is waited for, with nothing acknowledged and the connection kept`(
        installation: PostgresInstallation, method: String
    ) throws {
        let cluster = try Cluster.keepingWAL(installation)
        try cluster.finishSegment()
        let disk = try MountedFileSystem(.small(bytes: 24 << 20))
        let archive = try WALArchive(at: disk.path)
        let program = try archive.receive(from: cluster, ["-Z", method])
        try cluster.waitForStream(program)
        try archive.wait(for: try cluster.finishSegment(), program)
        let before = try sender(cluster)
        try fill(disk, cluster, program)
        let position = try cluster.position()
        // NULL as long as nothing was. What is in memory is not written either: a commit that waits for that must wait.
        let lag =
            "SELECT coalesce(flush_lsn < '\(position)', true) AND coalesce(write_lsn < '\(position)', true) FROM pg_stat_replication"
        #expect(try cluster.holds(lag))
        #expect(program.errorOutput.contains("warning: could not "), "\(program.errorOutput)")
        // More comes than blocks in memory hold.
        try cluster.writeWAL(kilobytes: 4000)
        let last = try cluster.finishSegment()
        #expect(try cluster.holds(lag))
        try disk.freeUp()
        try archive.wait(for: last, program)
        try cluster.waitForFlush(of: try cluster.position(), program)
        #expect(try sender(cluster) == before)
        let result = program.stop()
        #expect(result.status == 0, "\(result)")
        #expect(result.errorOutput.contains("there is room again, going on"), "\(result)")
        #expect(archive.gaps(segmentMegabytes: 1) == [])
        #expect(try archive.differences(from: cluster) == [])
    }

    @Test(arguments: ["none", "zstd"], [1000, 12000])
    func `a signal while the disk is full ends it with success, and the next run goes on`(
        method: String, kilobytes: Int
    ) throws {
        let cluster = try Cluster.keepingWAL(.newest)
        try cluster.makeSlot()
        let disk = try MountedFileSystem(.small(bytes: 40 << 20))
        let archive = try WALArchive(at: disk.path)
        let options = ["-Z", method, "-S", "archive"]
        var program = try archive.receive(from: cluster, options)
        try archive.wait(for: try cluster.finishSegment(), program)
        try fill(disk, cluster, program)
        // A little that waits in memory, or more than it holds.
        try cluster.writeWAL(kilobytes: kilobytes)
        var result = program.stop()
        #expect(result.status == 0, "\(result)")
        try cluster.waitUntilFree()
        try disk.freeUp()
        let last = try cluster.finishSegment()
        program = try archive.receive(from: cluster, options)
        try archive.wait(for: last, program)
        result = program.stop()
        #expect(result.status == 0, "\(result)")
        #expect(archive.gaps(segmentMegabytes: 1) == [])
        #expect(try archive.differences(from: cluster) == [])
    }

    @Test func `a disk that is full from the start is waited for`() throws {
        let cluster = try Cluster.keepingWAL(.newest)
        let disk = try MountedFileSystem(.small(bytes: 24 << 20))
        try disk.fillUp()
        let archive = try WALArchive(at: disk.path)
        let program = try archive.receive(from: cluster)
        try cluster.waitForStream(program)
        try cluster.writeWAL(kilobytes: 100)
        try program.waitToSay("No space left on device")
        try disk.freeUp()
        try archive.wait(for: try cluster.finishSegment(), program)
        #expect(program.stop().status == 0)
        #expect(try archive.differences(from: cluster) == [])
    }
}
