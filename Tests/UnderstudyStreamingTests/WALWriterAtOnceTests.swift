import Glibc
import Testing
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyStreaming

@Suite("The writer of WAL, when somebody waits for every sync")
struct WALWriterAtOnceTests {
    private let rig = WriterRig()

    private func piece(_ bytes: [UInt8], segment number: UInt64 = 3, at offset: Int) throws -> WALWriter.Piece {
        guard let block = try rig.writer.takeBlock(timeout: .seconds(60)) else {
            throw SupportError("no block is free")
        }
        _ = block.append(bytes.raw)
        return WALWriter.Piece(block: block, segment: rig.segment(number), offset: offset)
    }

    private func syncAtOnce(_ piece: WALWriter.Piece?) -> Bool {
        rig.writer.syncAtOnce(after: piece)
    }

    @Test("writes and syncs before it returns, without its thread, and wakes nobody for it")
    func idle() throws {
        rig.destination.setSynced(rig.lsn(3, 2))
        #expect(syncAtOnce(try piece([1, 2], at: 0)))
        var report = rig.writer.report()
        #expect(report.synced == rig.lsn(3, 2) && report.settled == rig.lsn(3, 2))
        #expect(syncAtOnce(try piece([3, 4, 5, 6], at: WriterRig.end)))
        report = rig.writer.report()
        #expect(report.settled == rig.lsn(4, 0) && report.finished == [rig.segment(3)])
        #expect(
            rig.destination.calls == [
                .begin("000000010000000000000003"), .write(offset: 0, [1, 2]), .sync,
                .write(offset: WriterRig.end, [3, 4, 5, 6]), .finish("000000010000000000000003"), .sync,
            ])
        #expect(!rig.writer.progress.isRaised)
    }

    @Test("gives each block back")
    func blocks() throws {
        for offset in 0..<100 { #expect(syncAtOnce(try piece([1], at: offset))) }
        #expect(rig.destination.calls.count == 201)
    }

    @Test("goes on where its thread stopped, and the other way round")
    func inTurn() throws {
        let thread = try rig.writer.start()
        #expect(syncAtOnce(try piece([1], at: 0)))
        rig.writer.sync(after: try piece([2], at: 1))
        _ = try rig.report { $0.settled == rig.lsn(3, 2) }
        // What it has told, it is done with.
        #expect(syncAtOnce(try piece([3], at: 2)))
        #expect(rig.writer.report().settled == rig.lsn(3, 3))
        rig.writer.close()
        thread.join()
        #expect(
            rig.destination.calls == [
                .begin("000000010000000000000003"), .write(offset: 0, [1]), .sync, .write(offset: 1, [2]), .sync,
                .write(offset: 2, [3]), .sync, .suspend,
            ])
    }

    @Test("leaves it to its thread while that is busy, behind all that is queued")
    func busy() throws {
        rig.destination.hold(.sync)
        rig.writer.sync(after: try piece([1], at: 0))
        let thread = try rig.writer.start()
        try rig.destination.wait(for: .sync)
        #expect(!syncAtOnce(try piece([2], at: 1)))
        rig.destination.release()
        _ = try rig.report { $0.settled == rig.lsn(3, 2) }
        rig.writer.close()
        thread.join()
        #expect(
            rig.destination.calls == [
                .begin("000000010000000000000003"), .write(offset: 0, [1]), .sync, .write(offset: 1, [2]), .sync,
                .suspend,
            ])
    }

    @Test("leaves much to its thread")
    func much() throws {
        rig.writer.write(try piece([UInt8](repeating: 1, count: WALWriter.blockSize), at: 0))
        let thread = try rig.writer.start()
        try rig.destination.wait(for: .finish)
        // It may not have put its work away yet; either way it is busy or has much to sync.
        #expect(!syncAtOnce(try piece([2], segment: 4, at: 0)))
        _ = try rig.report { $0.settled == rig.lsn(4, 1) }
        #expect(syncAtOnce(try piece([3], segment: 4, at: 1)))
        rig.writer.close()
        thread.join()
    }

    @Test(
        "leaves to its thread what failed for want of room, the same call first",
        arguments: [TestDestination.Kind.begin, .write, .finish, .sync])
    func temporary(_ kind: TestDestination.Kind) throws {
        rig.destination.fail(kind, with: WALDestinationError("no room", isTemporary: true))
        #expect(syncAtOnce(try piece([1, 2, 3, 4], at: WriterRig.end)))
        #expect(rig.writer.report().stall?.message == "no room")
        #expect(rig.writer.report().settled == nil)
        // What comes meanwhile waits behind it.
        #expect(!syncAtOnce(try piece([5], segment: 4, at: 0)))
        let thread = try rig.writer.start()
        try rig.destination.wait(for: kind, count: 2)
        rig.destination.fail(kind, with: nil)
        let report = try rig.report { $0.settled == rig.lsn(4, 1) }
        #expect(report.stall == nil && report.finished == [rig.segment(3)])
        rig.writer.close()
        thread.join()
        var once: [TestDestination.Call] = []
        for call in rig.destination.calls where call != once.last { once.append(call) }
        let first: [TestDestination.Call] = [
            .begin("000000010000000000000003"), .write(offset: WriterRig.end, [1, 2, 3, 4]),
            .finish("000000010000000000000003"), .sync,
        ]
        let second: [TestDestination.Call] = [
            .begin("000000010000000000000004"), .write(offset: 0, [5]), .sync, .suspend,
        ]
        // Two syncs that wait behind each other are one.
        #expect(once == first + second || once == first.dropLast() + second)
    }

    @Test("ends with any other error, and its thread with it", arguments: [TestDestination.Kind.begin, .write, .sync])
    func permanent(_ kind: TestDestination.Kind) throws {
        rig.destination.fail(kind, with: WALDestinationError("broken"))
        let thread = try rig.writer.start()
        #expect(syncAtOnce(try piece([1], at: 0)))
        thread.join()
        let report = rig.writer.report()
        #expect(report.failure?.message == "broken" && report.synced == nil && report.settled == nil)
        #expect(rig.destination.calls.last?.kind == kind)
        // Nothing is written behind it.
        let count = rig.destination.calls.count
        #expect(!syncAtOnce(try piece([2], at: 1)))
        #expect(rig.destination.calls.count == count)
    }

    @Test("repeats the status while a sync lasts long, and not after it")
    func status() throws {
        let thread = try rig.writer.start()
        let sender = SlowSender(destination: rig.destination)
        rig.destination.hold(.sync)
        let piece = try piece([1], at: 0)
        let status = StandbyStatus(written: rig.lsn(3, 1), flushed: rig.lsn(3, 0), replyRequested: false)
        #expect(rig.writer.statusRepeater.lend(sender, status) { rig.writer.syncAtOnce(after: piece) })
        sender.log.change { $0.append("returned") }
        #expect(sender.log.read { $0 } == ["sent \(status.flushed)", "returned"])
        rig.writer.statusRepeater.sendIfDue()
        #expect(sender.log.read { $0.count } == 2)
        rig.writer.close()
        thread.join()
    }
}

/// Ends the sync as soon as it is asked to send, and is slow to send.
private struct SlowSender: StatusSender {
    let destination: TestDestination
    let log = Monitor<[String]>([])

    func sendLent(_ status: StandbyStatus) {
        destination.release()
        for _ in 0..<1000 { sched_yield() }
        log.change { $0.append("sent \(status.flushed)") }
    }
}
