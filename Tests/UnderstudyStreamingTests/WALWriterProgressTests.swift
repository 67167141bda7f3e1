import Testing
import UnderstudyPlatform
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyStreaming

@Suite("The writer of WAL, when the destination announces progress")
struct WALWriterProgressTests {
    private let rig = WriterRig()

    private func announce(_ position: LSN?) {
        rig.destination.setSynced(position)
        rig.destination.progress?.announce()
    }

    private var syncs: Int { rig.destination.calls.count { $0 == .sync } }

    @Test("syncs again, and reports the result, though nothing was written since")
    func quiet() throws {
        let thread = try rig.writer.start()
        try rig.write([1, 2, 3], segment: 3, at: 0)
        rig.writer.sync()
        #expect(try rig.report { $0.settled != nil }.synced == nil)
        announce(rig.lsn(3, 2))
        #expect(try rig.report { $0.synced != nil }.synced == rig.lsn(3, 2))
        announce(rig.lsn(3, 3))
        let report = try rig.report { $0.synced == rig.lsn(3, 3) }
        #expect(report.settled == rig.lsn(3, 3) && syncs == 3)
        rig.writer.close()
        thread.join()
    }

    @Test("syncs once more for all announcements during a sync")
    func duringSync() throws {
        let thread = try rig.writer.start()
        try rig.write([1, 2, 3], segment: 3, at: 0)
        rig.destination.hold(.sync)
        rig.writer.sync()
        try rig.destination.wait(for: .sync)
        for offset in 1...3 { announce(rig.lsn(3, UInt64(offset))) }
        rig.destination.release()
        try rig.destination.wait(for: .sync, count: 2)
        rig.writer.close()
        thread.join()
        #expect(rig.writer.report().synced == rig.lsn(3, 3) && syncs == 2)
    }

    @Test("syncs after the write that was queued before the announcement, and with the sync that was")
    func queued() throws {
        // Attached, but no job is taken up.
        rig.destination.hold(.history)
        let thread = try rig.writer.start()
        rig.writer.putHistory(TimelineID(rawValue: 2), [])
        try rig.destination.wait(for: .history)
        try rig.write([1], segment: 3, at: 0)
        announce(nil)
        rig.writer.sync()
        announce(nil)
        rig.destination.release()
        rig.writer.close()
        thread.join()
        #expect(
            rig.destination.calls == [
                .history(2, []), .begin("000000010000000000000003"), .write(offset: 0, [1]), .sync, .suspend,
            ])
    }

    @Test("hears at its start what was announced before, and nothing after its end")
    func connections() throws {
        for _ in 0..<2 { announce(rig.lsn(3, 0)) }
        let thread = try rig.writer.start()
        #expect(try rig.report { $0.synced != nil }.synced == rig.lsn(3, 0))
        rig.writer.close()
        announce(rig.lsn(3, 1))
        thread.join()
        #expect(syncs == 1)
        // The announcement is for the next connection.
        let next = WALWriter(destination: rig.destination)
        let writing = try next.start()
        try rig.destination.wait(for: .sync, count: 2)
        next.close()
        writing.join()
        #expect(next.report().synced == rig.lsn(3, 1) && syncs == 2)
    }

    @Test("does not lose an announcement while there is no room")
    func stalled() throws {
        rig.destination.fail(.sync, with: WALDestinationError("no room", isTemporary: true))
        let thread = try rig.writer.start()
        try rig.write([1], segment: 3, at: 0)
        rig.writer.sync()
        _ = try rig.report { $0.stall != nil }
        announce(rig.lsn(3, 1))
        rig.destination.fail(.sync, with: nil)
        #expect(try rig.report { $0.stall == nil && $0.synced != nil }.synced == rig.lsn(3, 1))
        rig.writer.close()
        thread.join()
    }

    @Test("reports a failed sync that an announcement led to")
    func failure() throws {
        rig.destination.fail(.sync, with: WALDestinationError("broken"))
        let thread = try rig.writer.start()
        announce(rig.lsn(3, 1))
        let report = try rig.report { $0.failure != nil }
        #expect(report.failure?.message == "broken" && report.synced == nil)
        rig.writer.close()
        thread.join()
    }
}
