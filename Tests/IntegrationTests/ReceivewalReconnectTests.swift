import Glibc
import Testing
import UnderstudyTestSupport

/// Servers and networks that go away and come back.
@Suite(.disabled(if: isStock)) struct ReceivewalReconnectTests {
    private func expectWhole(
        _ archive: WALArchive, _ cluster: Cluster, _ program: Program,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let last = try cluster.finishSegment()
        try archive.wait(for: last, program)
        let result = program.stop()
        #expect(result.status == 0, "\(result)", sourceLocation: sourceLocation)
        #expect(archive.gaps(segmentMegabytes: 1) == [], "\(result)", sourceLocation: sourceLocation)
        #expect(try archive.differences(from: cluster) == [], "\(result)", sourceLocation: sourceLocation)
        #expect(!FileTree.exists("\(archive.path)/diverged"), "\(result)", sourceLocation: sourceLocation)
    }

    @Test(arguments: pairs(PostgresInstallation.outermost, [Cluster.ShutdownMode.fast, .immediate]))
    func `a server that is restarted is connected to again`(
        installation: PostgresInstallation, mode: Cluster.ShutdownMode
    ) throws {
        let cluster = try Cluster.keepingWAL(installation)
        let archive = try WALArchive()
        let program = try archive.receive(from: cluster)
        try cluster.waitForStream(program)
        try cluster.writeWAL(kilobytes: 1500)
        // A fast shutdown waits until the receiver has all of it.
        try cluster.stop(mode)
        try program.waitToSay("disconnected; waiting ")
        try cluster.start()
        try cluster.writeWAL(kilobytes: 1500)
        try program.waitToSay("streaming again from ")
        // The second time is said like the first one.
        try cluster.stop(mode)
        try eventually("the second end: \(program.errorOutput)") {
            program.errorOutput.split(separator: "disconnected; waiting ").count >= 3
        }
        try cluster.start()
        try cluster.writeWAL(kilobytes: 1500)
        try expectWhole(archive, cluster, program)
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `with -n the end of the connection is an error`(installation: PostgresInstallation) throws {
        let cluster = try Cluster.keepingWAL(installation)
        let archive = try WALArchive()
        let program = try archive.receive(from: cluster, ["-n"])
        try cluster.waitForStream(program)
        try cluster.stop()
        let result = program.wait()
        expectRefused(result, "error: disconnected", hint: false)
        try cluster.start()
        try cluster.finishSegment()
        let other = try archive.receive(from: cluster, ["-n"])
        try cluster.waitForStream(other)
        try cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
        expectRefused(other.wait(), "error: ", hint: false)
        #expect(try archive.differences(from: cluster) == [])
    }

    @Test func `another cluster in the place of the first is refused for good`() throws {
        let cluster = try Cluster.keepingWAL(.newest)
        // Made by another initdb.
        let other = try Cluster.keepingWAL(.newest, segmentMegabytes: 4)
        let archive = try WALArchive()
        let program = try archive.receive(
            "host=127.0.0.1,127.0.0.1 port=\(cluster.port),\(other.port) user=postgres", of: cluster.installation)
        try cluster.waitForStream(program)
        try archive.wait(for: try cluster.finishSegment(), program)
        let segments = archive.segments
        try cluster.stop()
        let result = program.wait()
        expectRefused(result, "server belongs to another database cluster than before", "The system identifiers are")
        #expect(archive.segments == segments)
    }

    // MARK: - The network

    @Test(arguments: PostgresInstallation.outermost)
    func `a network that is cut, slow or silent leaves no gap`(installation: PostgresInstallation) throws {
        let cluster = try Cluster.keepingWAL(installation)
        try cluster.makeSlot()
        let proxy = try NetworkProxy(to: cluster.port)
        let archive = try WALArchive()
        let program = try archive.receive(
            from: cluster, ["-S", "archive", "--stall-timeout=1s"], port: proxy.port)
        try cluster.waitForStream(program)
        for condition in [NetworkProxy.Condition.cut, .stalled, .cut] {
            let connections = proxy.accepted
            proxy.change(to: condition, afterBytes: 700_000)
            try cluster.writeWAL(kilobytes: 1500)
            // The end by the receiver's own time-out, or by the reset.
            try eventually("another connection after \(condition): \(program.errorOutput)") {
                proxy.accepted > connections
            }
            proxy.set(.forwarding)
            try archive.wait(for: try cluster.finishSegment(), program)
        }
        program.send(SIGINT)
        let told = program.wait().errorOutput
        #expect(told.contains("has sent nothing for 1 s"), "\(told)")
        #expect(told.contains("disconnected; waiting "), "\(told)")

        proxy.set(.delayed(milliseconds: 2))
        let patient = try archive.receive(from: cluster, ["-S", "archive"], port: proxy.port)
        try cluster.waitForStream(patient)
        try cluster.writeWAL(kilobytes: 1000)
        try archive.wait(for: try cluster.finishSegment(), patient)
        try expectWhole(archive, cluster, patient)
        #expect(!patient.errorOutput.contains("disconnected"), "\(patient.errorOutput)")
    }

    @Test func `a signal while the network is silent ends it with success`() throws {
        let cluster = try Cluster.keepingWAL(.newest)
        let proxy = try NetworkProxy(to: cluster.port)
        let archive = try WALArchive()
        let program = try archive.receive(from: cluster, ["--stall-timeout=1s"], port: proxy.port)
        try cluster.waitForStream(program)
        try archive.wait(for: try cluster.finishSegment(), program)
        proxy.set(.stalled)
        let result = program.stop()
        #expect(result.status == 0, "\(result)")
    }

    // MARK: - Limits

    @Test(arguments: PostgresInstallation.outermost)
    func `--max-rate does not let the server's time-out strike`(installation: PostgresInstallation) throws {
        let cluster = try Cluster.keepingWAL(installation, ["wal_sender_timeout = 1500ms"])
        let archive = try WALArchive()
        let program = try archive.receive(from: cluster, ["-r", "512k"])
        try cluster.waitForStream(program)
        let sender = try cluster.sql("SELECT pid FROM pg_stat_replication")
        // A second's worth comes at once, the rest takes several of the server's time-outs.
        try cluster.writeWAL(kilobytes: 2600)
        try archive.wait(for: try cluster.finishSegment(), program)
        #expect(try cluster.sql("SELECT pid FROM pg_stat_replication") == sender)
        let result = program.stop()
        #expect(!result.errorOutput.contains("disconnected"), "\(result)")
        #expect(try archive.differences(from: cluster) == [])
    }

    @Test func `--max-lag warns when the slot keeps more than that`() throws {
        let cluster = try Cluster.keepingWAL(.newest)
        try cluster.makeSlot()
        let archive = try WALArchive()
        let options = ["-S", "archive", "-r", "64k", "--max-lag=1MB"]
        let before = try archive.receive(from: cluster, options)
        try cluster.waitForStream(before)
        #expect(before.stop().errorOutput.contains("warning: ") == false)
        // All of it is there before the stream begins: the server tells its position with what it sends, so one that sends as
        // fast as it writes is never far ahead.
        try cluster.writeWAL(kilobytes: 3000)
        let program = try archive.receive(from: cluster, options)
        try program.waitToSay("MB of WAL on the server are not acknowledged yet, more than the limit of 1.0 MB")
        let result = program.stop()
        #expect(result.status == 0, "\(result)")
    }
}
