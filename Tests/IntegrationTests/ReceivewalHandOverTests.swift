import Glibc
import Testing
import UnderstudyTestSupport

/// One archive and one slot, received by the stock tool and by us in turn.
@Suite(.disabled(if: isStock)) struct ReceivewalHandOverTests {
    @Test(arguments: pairs(PostgresInstallation.outermost, ["none", "gzip"]))
    func `the stock tool and ours take over from each other at any moment`(
        installation: PostgresInstallation, method: String
    ) throws {
        var random = Seed.generator()
        let cluster = try Cluster.keepingWAL(installation)
        try Workload.prepare(cluster)
        try cluster.makeSlot()
        let archive = try WALArchive()
        let load = try Workload(on: cluster, rate: 500)
        let signals = [SIGINT, SIGKILL, SIGKILL, SIGINT, SIGKILL, SIGINT].shuffled(using: &random)
        var story = "seed \(Seed.value)"
        for (index, signal) in signals.enumerated() {
            let receiver: Receiver = index % 2 == 0 ? .stock : .understudy
            let kilobytes = Int.random(in: 0...1500, using: &random)
            story += "; \(receiver), signal \(signal) after \(kilobytes) kB"
            let program = try archive.receive(from: cluster, ["-S", "archive", "-Z", method], by: receiver)
            try cluster.waitForStream(program)
            try cluster.writeWAL(kilobytes: kilobytes)
            let result = program.stop(signal)
            #expect(result.status == (signal == SIGKILL ? 128 + SIGKILL : 0), "\(story): \(result)")
            try cluster.waitUntilFree()
        }
        try load.stop()
        let last = try cluster.finishSegment()
        let program = try archive.receive(from: cluster, ["-S", "archive", "-Z", method])
        try archive.wait(for: last, program)
        let result = program.stop()
        #expect(result.status == 0, "\(story): \(result)")
        #expect(archive.gaps(segmentMegabytes: 1) == [], "\(story)")
        #expect(try archive.differences(from: cluster) == [], "\(story)")
        #expect(archive.segments.count > 2, "\(story)")
        #expect(!result.errorOutput.contains("warning: "), "\(story): \(result)")
    }
}
