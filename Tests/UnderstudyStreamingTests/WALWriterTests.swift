import Testing
import UnderstudyPlatform
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyStreaming

@Suite("The writer of WAL")
struct WALWriterTests {
    @Test("asks for one thing after the other, in the order in which they came")
    func order() throws {
        let rig = WriterRig()
        rig.writer.putHistory(TimelineID(rawValue: 2), [1, 2])
        try rig.write([1, 2, 3], segment: 3, timeline: 2, at: 0)
        try rig.write([4], segment: 3, timeline: 2, at: 3)
        rig.writer.sync()
        try rig.write([5, 6, 7, 8], segment: 3, timeline: 2, at: WriterRig.end)
        try rig.write([9], segment: 4, timeline: 2, at: 0)
        rig.writer.endTimeline(next: rig.lsn(4, 0))
        rig.writer.putHistory(TimelineID(rawValue: 3), [3])
        try rig.write([10], segment: 4, timeline: 3, at: 0)
        rig.writer.sync()
        rig.writer.close()
        try rig.writer.start().join()
        #expect(
            rig.destination.calls == [
                .history(2, [1, 2]),
                .begin("000000020000000000000003"), .write(offset: 0, [1, 2, 3]), .write(offset: 3, [4]), .sync,
                .write(offset: WriterRig.end, [5, 6, 7, 8]), .finish("000000020000000000000003"),
                .begin("000000020000000000000004"), .write(offset: 0, [9]), .suspend,
                .history(3, [3]),
                .begin("000000030000000000000004"), .write(offset: 0, [10]), .sync, .suspend,
            ])
        let report = rig.writer.report()
        #expect(report.failure == nil && report.stall == nil)
        #expect(report.finished.map(\.description) == ["000000020000000000000003"])
        // They are told once.
        #expect(rig.writer.report().finished.isEmpty)
    }

    @Test("tells of each sync how long it took")
    func times() throws {
        let times = Locked<[Duration]>([])
        let rig = WriterRig(noteSync: { time in times.withLock { $0.append(time) } })
        for offset in 0..<3 {
            try rig.write([1], segment: 3, at: offset)
            rig.writer.sync()
        }
        rig.writer.endTimeline(next: rig.lsn(3, 0))
        rig.writer.sync()
        rig.writer.close()
        try rig.writer.start().join()
        #expect(rig.destination.calls.count { $0 == .sync } == 2)
        #expect(times.withLock { $0.count } == 2 && times.withLock { $0.allSatisfy { $0 > .zero } })
    }

    @Test("makes one sync of those that have queued up, the last one, but not over the end of a timeline")
    func queuedSyncs() throws {
        let rig = WriterRig()
        rig.writer.sync()
        try rig.write([1], segment: 3, at: 0)
        rig.writer.sync()
        rig.writer.sync()
        try rig.write([2], segment: 3, at: 1)
        rig.writer.sync()
        rig.writer.endTimeline(next: rig.lsn(3, 0))
        try rig.write([3], segment: 3, timeline: 2, at: 0)
        rig.writer.sync()
        rig.writer.putHistory(TimelineID(rawValue: 2), [])
        rig.writer.sync()
        rig.writer.close()
        try rig.writer.start().join()
        #expect(
            rig.destination.calls == [
                .begin("000000010000000000000003"), .write(offset: 0, [1]), .write(offset: 1, [2]), .sync, .suspend,
                .begin("000000020000000000000003"), .write(offset: 0, [3]), .history(2, []), .sync, .suspend,
            ])
    }

    @Test("syncs again what was asked for during a sync")
    func syncDuringSync() throws {
        let rig = WriterRig()
        rig.destination.hold(.sync)
        try rig.write([1], segment: 3, at: 0)
        rig.writer.sync()
        let thread = try rig.writer.start()
        try rig.destination.wait(for: .sync)
        try rig.write([2], segment: 3, at: 1)
        rig.writer.sync()
        rig.writer.close()
        rig.destination.release()
        thread.join()
        #expect(
            rig.destination.calls == [
                .begin("000000010000000000000003"), .write(offset: 0, [1]), .sync, .write(offset: 1, [2]), .sync,
                .suspend,
            ])
    }

    @Test("reports what the destination says is synced, apart from what is written")
    func positions() throws {
        let rig = WriterRig()
        let thread = try rig.writer.start()
        #expect(rig.writer.report().synced == nil && rig.writer.report().settled == nil)
        // Nothing of it survives a crash; then a part; then all.
        try rig.write([1, 2], segment: 3, at: 0)
        rig.writer.sync()
        var report = try rig.report { $0.settled != nil }
        #expect(report.synced == nil && report.settled == rig.lsn(3, 2))
        rig.destination.setSynced(rig.lsn(3, 1))
        rig.writer.sync()
        report = try rig.report { $0.synced != nil }
        #expect(report.synced == rig.lsn(3, 1) && report.settled == rig.lsn(3, 2))
        // A write alone settles nothing; a sync does.
        try rig.write([3], segment: 3, at: 2)
        try rig.destination.wait(for: .write, count: 2)
        #expect(rig.writer.report().settled == rig.lsn(3, 2))
        rig.destination.setSynced(rig.lsn(3, 3))
        rig.writer.sync()
        report = try rig.report { $0.settled == rig.lsn(3, 3) }
        #expect(report.synced == rig.lsn(3, 3) && report.timelines == 0)
        rig.writer.close()
        thread.join()
    }

    @Test("reports as written what the destination says of it, and nothing where it says nothing")
    func written() throws {
        let rig = WriterRig()
        let thread = try rig.writer.start()
        try rig.write([1, 2], segment: 3, at: 0)
        rig.writer.sync()
        #expect(try rig.report { $0.settled != nil }.written == nil)
        rig.destination.setWritten(rig.lsn(3, 3))
        try rig.write([3, 4], segment: 3, at: 2)
        rig.writer.sync()
        #expect(try rig.report { $0.settled == rig.lsn(3, 4) }.written == rig.lsn(3, 3))
        // Of the next timeline nothing is written yet.
        rig.writer.endTimeline(next: rig.lsn(3, 0))
        #expect(try rig.report { $0.timelines == 1 }.written == nil)
        rig.writer.close()
        thread.join()
    }

    @Test("tells reports of an old timeline apart from those of the one that is written now")
    func timelines() throws {
        let rig = WriterRig()
        let thread = try rig.writer.start()
        rig.destination.setSynced(rig.lsn(4, 2))
        try rig.write([1, 2], segment: 4, at: 0)
        rig.writer.sync()
        #expect(try rig.report { $0.synced != nil }.timelines == 0)
        rig.writer.endTimeline(next: rig.lsn(4, 0))
        let report = try rig.report { $0.timelines == 1 }
        // Nothing of the new one is synced; what came before it is written.
        #expect(report.synced == nil && report.settled == rig.lsn(4, 0))
        rig.destination.setSynced(rig.lsn(4, 1))
        try rig.write([3], segment: 4, timeline: 2, at: 0)
        rig.writer.sync()
        let next = try rig.report { $0.synced != nil }
        #expect(next.timelines == 1 && next.synced == rig.lsn(4, 1) && next.settled == rig.lsn(4, 1))
        rig.writer.close()
        thread.join()
    }

    @Test("lends as many blocks as it may hold, and lends them again when they are written")
    func blocks() throws {
        let rig = WriterRig(blocks: 2)
        rig.destination.hold(.write)
        try rig.write([1], segment: 3, at: 0)
        try rig.write([2], segment: 3, at: 1)
        let thread = try rig.writer.start()
        try rig.destination.wait(for: .write)
        #expect(try rig.writer.takeBlock(timeout: .zero) == nil)
        rig.destination.release()
        let block = try #require(try rig.writer.takeBlock(timeout: .seconds(60)))
        #expect(block.bytes.byteCount == 0 && block.room == WALWriter.blockSize)
        rig.writer.close()
        thread.join()
    }
}
