import Testing
import UnderstudyPlatform
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyStreaming

@Suite("The writer of WAL, when its destination fails")
struct WALWriterTroubleTests {
    /// One job of each kind, and the calls that they make.
    private func queueAll(_ rig: WriterRig) throws -> [TestDestination.Call] {
        rig.writer.putHistory(TimelineID(rawValue: 1), [7])
        try rig.write([1, 2], segment: 3, at: 0)
        try rig.write([3, 4, 5, 6], segment: 3, at: WriterRig.end)
        rig.writer.sync()
        rig.writer.endTimeline(next: rig.lsn(4, 0))
        try rig.write([8], segment: 4, timeline: 2, at: 0)
        rig.writer.sync()
        return [
            .history(1, [7]), .begin("000000010000000000000003"), .write(offset: 0, [1, 2]),
            .write(offset: WriterRig.end, [3, 4, 5, 6]), .finish("000000010000000000000003"), .sync, .suspend,
            .begin("000000020000000000000004"), .write(offset: 0, [8]), .sync, .suspend,
        ]
    }

    @Test(
        "repeats a call that failed for want of room, with the same arguments, and says so until it succeeds",
        arguments: TestDestination.Kind.allCases)
    func temporary(_ kind: TestDestination.Kind) throws {
        let rig = WriterRig()
        rig.destination.fail(kind, with: WALDestinationError("no room", isTemporary: true))
        let wanted = try queueAll(rig)
        let thread = try rig.writer.start()
        let report = try rig.report { $0.stall != nil }
        #expect(report.stall?.message == "no room" && report.failure == nil)
        try rig.destination.wait(for: kind, count: 2)
        // Nothing goes on before it has succeeded.
        let first = try #require(wanted.firstIndex { $0.kind == kind })
        let calls = rig.destination.calls
        #expect(calls[...first] == wanted[...first])
        #expect(calls[first...].allSatisfy { $0 == wanted[first] })
        #expect(rig.writer.report().stall != nil)
        rig.destination.fail(kind, with: nil)
        let recovered = try rig.report { $0.timelines == 1 && $0.settled == rig.lsn(4, 1) }
        #expect(recovered.stall == nil && recovered.failure == nil)
        rig.writer.close()
        thread.join()
        // All that was to be done was done, in its order, if repetitions are left out.
        var once: [TestDestination.Call] = []
        for call in rig.destination.calls where call != once.last { once.append(call) }
        #expect(once == wanted)
    }

    @Test("says that there is room again before anything else is reported")
    func recovered() throws {
        let rig = WriterRig()
        rig.destination.fail(.write, with: WALDestinationError("no room", isTemporary: true))
        try rig.write([1], segment: 3, at: 0)
        let thread = try rig.writer.start()
        _ = try rig.report { $0.stall != nil }
        rig.destination.fail(.write, with: nil)
        #expect(try rig.report { $0.stall == nil }.settled == nil)
        rig.writer.close()
        thread.join()
    }

    @Test("ends with any other error, does nothing more, and reports it", arguments: TestDestination.Kind.allCases)
    func permanent(_ kind: TestDestination.Kind) throws {
        let rig = WriterRig()
        rig.destination.fail(kind, with: WALDestinationError("broken"))
        let wanted = try queueAll(rig)
        try rig.writer.start().join()
        #expect(rig.writer.progress.isRaised)
        let report = rig.writer.report()
        #expect(report.failure?.message == "broken" && report.stall == nil)
        let first = try #require(wanted.firstIndex { $0.kind == kind })
        #expect(rig.destination.calls == Array(wanted[...first]))
        // Nothing is reported as written or synced that a sync did not reach.
        #expect(report.timelines == 0 && report.synced == nil)
        #expect(report.settled == (kind == .suspend ? rig.lsn(4, 0) : nil))
        #expect(report.finished.count == (kind == .suspend ? 1 : 0))
    }

    @Test("ends when what failed for want of room then fails for another reason")
    func worse() throws {
        let rig = WriterRig()
        rig.destination.fail(.write, with: WALDestinationError("no room", isTemporary: true))
        try rig.write([1], segment: 3, at: 0)
        let thread = try rig.writer.start()
        _ = try rig.report { $0.stall != nil }
        rig.destination.fail(.write, with: WALDestinationError("broken"))
        thread.join()
        #expect(rig.writer.report().failure?.message == "broken")
    }

    @Test("does all that is queued when it is closed")
    func close() throws {
        let rig = WriterRig()
        rig.destination.hold(.write)
        let wanted = try queueAll(rig)
        let thread = try rig.writer.start()
        try rig.destination.wait(for: .write)
        rig.writer.close()
        rig.destination.release()
        thread.join()
        #expect(rig.destination.calls == wanted)
    }

    @Test("does not wait for room any more when it is closed", arguments: TestDestination.Kind.allCases)
    func closedStall(_ kind: TestDestination.Kind) throws {
        let rig = WriterRig()
        rig.destination.fail(kind, with: WALDestinationError("no room", isTemporary: true))
        let wanted = try queueAll(rig)
        let thread = try rig.writer.start()
        _ = try rig.report { $0.stall != nil }
        rig.writer.close()
        thread.join()
        #expect(rig.writer.report().failure?.isTemporary == true)
        let first = try #require(wanted.firstIndex { $0.kind == kind })
        let calls = rig.destination.calls
        #expect(calls[...first] == wanted[...first] && calls[first...].allSatisfy { $0 == wanted[first] })
    }

    @Test(
        "tells since when its destination does not return, and only then",
        arguments: [TestDestination.Kind.write, .sync])
    func hanging(_ kind: TestDestination.Kind) throws {
        let rig = WriterRig()
        #expect(rig.writer.busySince == nil)
        rig.destination.hold(kind)
        try rig.write([1], segment: 3, at: 0)
        rig.writer.sync()
        let thread = try rig.writer.start()
        try rig.destination.wait(for: kind)
        let since = try #require(rig.writer.busySince)
        #expect(since <= .now && rig.writer.busySince == since)
        rig.destination.release()
        _ = try rig.report { $0.settled != nil }
        try eventually("nothing to do") { rig.writer.busySince == nil }
        rig.writer.close()
        thread.join()
        #expect(rig.writer.busySince == nil)
    }
}
