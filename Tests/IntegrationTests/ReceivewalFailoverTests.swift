import Foundation
import Testing
import UnderstudyTestSupport

/// Receivers that follow a cluster from one timeline to the next.
@Suite(.disabled(if: isStock)) struct ReceivewalFailoverTests {
    // MARK: - The stage

    private static func standby(of primary: Cluster) throws -> Cluster {
        let target = TestDirectory.freshPath("standby")
        let result = try basebackup(primary, to: target, ["-R"])
        try #require(result.status == 0, "\(result)")
        let standby = try Cluster(copy: target, of: primary)
        try standby.start()
        return standby
    }

    private static func hosts(_ clusters: Cluster...) -> String {
        "host=\(clusters.map { _ in "127.0.0.1" }.joined(separator: ",")) "
            + "port=\(clusters.map { String($0.port) }.joined(separator: ",")) user=postgres "
            + "target_session_attrs=read-write"
    }

    /// A base backup without WAL: what brings it further comes from the archive.
    private static func backup(of cluster: Cluster) throws -> String {
        let target = TestDirectory.freshPath("backup")
        let result = try basebackup(cluster, to: target, ["-X", "none"])
        try #require(result.status == 0, "\(result)")
        return target
    }

    /// Restores a backup from the archive alone, to its last timeline, and expects what `cluster` holds now.
    private func expectRestored(
        _ backup: String, _ archive: WALArchive, asIn cluster: Cluster,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let copy = try Cluster(copy: backup, of: cluster)
        try copy.append(["restore_command = 'cp \(archive.path)/%f %p'"], to: "postgresql.auto.conf")
        try TestDirectory.write("", to: "\(backup)/recovery.signal")
        try copy.start()
        try eventually("the end of recovery: \(copy.logTail)") { try copy.holds("SELECT NOT pg_is_in_recovery()") }
        #expect(try cluster.differences(from: copy) == [], sourceLocation: sourceLocation)
    }

    private func insert(_ text: String, into cluster: Cluster) throws {
        try cluster.sql("CREATE TABLE IF NOT EXISTS story (line text); INSERT INTO story VALUES ('\(text)')")
    }

    // MARK: - Promotions

    @Test(arguments: PostgresInstallation.outermost)
    func `a receiver of a standby follows it when it is promoted`(installation: PostgresInstallation) throws {
        let primary = try Cluster.keepingWAL(installation)
        let standby = try Self.standby(of: primary)
        try primary.waitForReplay(on: standby)
        let archive = try WALArchive()
        let program = try archive.receive(from: standby)
        try standby.waitForStream(program)
        let backup = try Self.backup(of: primary)
        try insert("before", into: primary)
        try primary.writeWAL(kilobytes: 1500)
        try primary.waitForReplay(on: standby)
        try standby.sql("SELECT pg_promote()")
        try insert("after", into: standby)
        let last = try standby.finishSegment()
        #expect(last.hasPrefix("00000002"))
        try archive.wait(for: last, program)
        let result = program.stop()
        #expect(result.status == 0, "\(result)")
        #expect(result.errorOutput.contains("switched to timeline 2 at "), "\(result)")
        #expect(!result.errorOutput.contains("disconnected"), "\(result)")
        #expect(archive.names.contains("00000002.history"))
        #expect(archive.names.contains { $0.hasPrefix("00000001") && $0.hasSuffix(".partial") })
        #expect(archive.gaps(segmentMegabytes: 1) == [])
        #expect(try archive.differences(from: standby) == [])
        try expectRestored(backup, archive, asIn: standby)
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `with a list of hosts it goes on with the standby that takes over, and never back`(
        installation: PostgresInstallation
    ) throws {
        let primary = try Cluster.keepingWAL(installation)
        let archive = try WALArchive()
        let standby = try Self.standby(of: primary)
        let connection = Self.hosts(primary, standby)
        let program = try archive.receive(connection, of: installation)
        try program.waitToSay("starting log streaming at ")
        let backup = try Self.backup(of: primary)
        try insert("before", into: primary)
        try primary.writeWAL(kilobytes: 1500)
        try primary.waitForReplay(on: standby)
        try primary.stop()
        try standby.sql("SELECT pg_promote()")
        try insert("after", into: standby)
        try archive.wait(for: try standby.finishSegment(), program)
        #expect(archive.names.contains("00000002.history"))
        #expect(archive.names.contains { $0.hasPrefix("00000001") && $0.hasSuffix(".partial") })
        #expect(!FileTree.exists("\(archive.path)/diverged"))
        let told = program.errorOutput
        #expect(told.contains("switched to timeline 2 at "), "\(told)")

        // The old primary comes back, and is the only one that takes writes.
        try standby.stop()
        try primary.start()
        try program.waitToSay("server is on timeline 1, but the archive is on timeline 2 already")
        let names = archive.names
        try primary.finishSegment()
        try primary.stop()
        try standby.start()
        try insert("at the end", into: standby)
        try archive.wait(for: try standby.finishSegment(), program)
        #expect(archive.names.filter { $0.hasPrefix("00000001") } == names.filter { $0.hasPrefix("00000001") })
        #expect(!FileTree.exists("\(archive.path)/diverged"))
        let result = program.stop()
        #expect(result.status == 0, "\(result)")
        #expect(archive.gaps(segmentMegabytes: 1) == [])
        #expect(try archive.differences(from: standby) == [])
        try expectRestored(backup, archive, asIn: standby)
    }

    @Test(arguments: pairs(PostgresInstallation.outermost, ["none", "gzip"]))
    func `WAL that the new primary never had is set aside, and the archive restores`(
        installation: PostgresInstallation, method: String
    ) throws {
        let primary = try Cluster.keepingWAL(installation)
        let archive = try WALArchive()
        let standby = try Self.standby(of: primary)
        let program = try archive.receive(Self.hosts(primary, standby), ["-Z", method], of: installation)
        try program.waitToSay("starting log streaming at ")
        let backup = try Self.backup(of: primary)
        try insert("before", into: primary)
        try archive.wait(for: try primary.finishSegment(), program)
        try primary.waitForReplay(on: standby)
        try standby.stop()
        try insert("only on the old primary", into: primary)
        try primary.writeWAL(kilobytes: 2500)
        let lost = try primary.finishSegment()
        try archive.wait(for: lost, program)
        try primary.stop(.immediate)
        try standby.start()
        try standby.sql("SELECT pg_promote()")
        try insert("after", into: standby)
        try standby.writeWAL(kilobytes: 2500)
        try archive.wait(for: try standby.finishSegment(), program)
        let result = program.stop()
        #expect(result.status == 0, "\(result)")
        #expect(result.errorOutput.contains("server's history left timeline 1 at "), "\(result)")
        #expect(result.errorOutput.contains("before the end of the archive"), "\(result)")
        let aside = FileTree.names("\(archive.path)/diverged")
        #expect(aside.contains { $0.hasPrefix(lost) }, "\(aside)")
        #expect(!archive.segments.contains { $0.hasPrefix(lost) }, "\(archive.names)")
        for name in aside { #expect(result.errorOutput.contains("diverged/\(name)"), "\(result)") }
        #expect(archive.gaps(segmentMegabytes: 1) == [])
        #expect(try archive.differences(from: standby) == [])
        if method == "none" { try expectRestored(backup, archive, asIn: standby) }
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `three timelines in a row are received without a gap`(installation: PostgresInstallation) throws {
        let cluster = try Cluster.keepingWAL(installation, ["restore_command = 'false'"])
        let archive = try WALArchive()
        let program = try archive.receive(from: cluster)
        try cluster.waitForStream(program)
        let backup = try Self.backup(of: cluster)
        for timeline in 1...3 {
            try insert("timeline \(timeline)", into: cluster)
            try cluster.writeWAL(kilobytes: 1200)
            if timeline == 3 { continue }
            // A server that ends its recovery begins a new timeline.
            try cluster.stop()
            try TestDirectory.write("", to: "\(cluster.directory)/recovery.signal")
            try cluster.start()
            try eventually("the end of recovery") { try cluster.holds("SELECT NOT pg_is_in_recovery()") }
        }
        let last = try cluster.finishSegment()
        #expect(last.hasPrefix("00000003"))
        try archive.wait(for: last, program)
        let result = program.stop()
        #expect(result.status == 0, "\(result)")
        #expect(Set(archive.names).isSuperset(of: ["00000002.history", "00000003.history"]), "\(archive.names)")
        for timeline in ["00000001", "00000002"] {
            #expect(archive.partials.contains { $0.hasPrefix(timeline) }, "\(archive.names)")
        }
        #expect(!FileTree.exists("\(archive.path)/diverged"))
        #expect(archive.gaps(segmentMegabytes: 1) == [])
        #expect(try archive.differences(from: cluster) == [])
        try expectRestored(backup, archive, asIn: cluster)
    }
}
