import Testing
import UnderstudyWAL

@testable import UnderstudyProtocol

@Suite("The rules of receiving WAL: timelines")
struct TimelineSwitchTests {
    private func next(_ timeline: UInt32, _ offset: Int) throws -> ReceiveMachine.Event {
        let row = ["\(timeline)", "\(Stream.lsn(offset))"]
        return .endOfTimeline(
            try NextTimeline(ResultSet(columns: ["next_tli", "next_tli_startpos"], rows: [row])))
    }

    @Test("at its end all of it is synced, then the stream goes on with the next one, from the start of the segment")
    func follow() throws {
        let size = Int(WALSegmentSize.default.bytes)
        var machine = Stream.machine(syncBytes: .max)
        _ = try machine.handle(.data(start: Stream.lsn(0), count: size + 1000), now: .zero)
        #expect(try machine.handle(next(2, size + 900), now: .zero) == [.sync])
        #expect(machine.timeline == TimelineID(rawValue: 1) && machine.isLeaving)
        #expect(try machine.handle(.synced(Stream.lsn(size + 999)), now: .zero) == [])
        #expect(
            try machine.handle(.synced(Stream.lsn(size + 1000)), now: .zero) == [
                .follow(TimelineID(rawValue: 2), from: Stream.lsn(size))
            ])
        #expect(machine.timeline == TimelineID(rawValue: 2) && !machine.isLeaving)
        #expect(
            try machine.handle(.data(start: Stream.lsn(size), count: 10), now: .zero) == [
                .write(0..<10, segment: Stream.segment(4, timeline: 2), offset: 0)
            ])
    }

    @Test("nothing is said between two timelines: there is no copy to do it in")
    func noStatusBetween() throws {
        var machine = Stream.machine(statusInterval: .seconds(10), silenceLimit: .seconds(60), quietLimit: .seconds(2))
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        #expect(try machine.handle(next(2, 100), now: .seconds(60)) == [.sync])
        #expect(try machine.handle(.tick, now: .seconds(600)) == [])
        #expect(try machine.handle(.drained, now: .seconds(600)) == [])
        #expect(try machine.handle(.synchronous(true), now: .seconds(600)) == [])
        #expect(
            try machine.handle(.synced(Stream.lsn(100)), now: .seconds(600)) == [
                .follow(TimelineID(rawValue: 2), from: Stream.lsn(0))
            ])
        #expect(try machine.handle(.tick, now: .seconds(600)) == [Stream.status(100, 100)])
    }

    @Test("a position of the old timeline is no position on the new one")
    func lateReport() throws {
        var machine = Stream.machine()
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        _ = try machine.handle(next(2, 80), now: .zero)
        _ = try machine.handle(.settled(Stream.lsn(100)), now: .zero)
        #expect(machine.timeline == 2 && machine.flushed == .invalid)
        #expect(try machine.handle(.synced(Stream.lsn(100)), now: .zero) == [Stream.status(0, 0)])
        // It settles nothing that has come since.
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 20), now: .zero)
        #expect(try machine.handle(.stop(at: Stream.lsn(10)), now: .zero) == [.sync])
    }

    @Test("what lies before the fork stays flushed, while the new timeline brings it again")
    func heldBeforeFork() throws {
        var machine = Stream.machine()
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        _ = try machine.handle(.synced(Stream.lsn(60)), now: .zero)
        #expect(try machine.handle(next(2, 80), now: .zero) == [.sync])
        #expect(
            try machine.handle(.synced(Stream.lsn(100)), now: .zero) == [
                .follow(TimelineID(rawValue: 2), from: Stream.lsn(0))
            ])
        // What lies behind it is not of the new one.
        #expect(machine.flushed == Stream.lsn(80))
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .zero) == [Stream.status(80, 80)])
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 200), now: .zero)
        #expect(try machine.handle(.synced(Stream.lsn(50)), now: .zero) == [])
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .zero) == [Stream.status(80, 80), .sync])
        #expect(try machine.handle(.synced(Stream.lsn(200)), now: .zero) == [Stream.status(200, 200)])
    }

    @Test("where more was acknowledged than became the past of the next one, the connection ends with it")
    func acknowledgedBeyondFork() throws {
        for reconnects in [true, false] {
            var machine = Stream.machine(reconnects: reconnects)
            _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
            #expect(try machine.handle(.synced(Stream.lsn(100)), now: .zero) == [Stream.status(100, 100)])
            if reconnects {
                #expect(try machine.handle(next(2, 99), now: .zero) == [.reconnect])
            } else {
                let error = #expect(throws: StreamError.self) { try machine.handle(next(2, 99), now: .zero) }
                #expect(error?.code == .endedEarly)
            }
        }
    }

    @Test("a stop waits for what was written of the old timeline, and for nothing else")
    func stopAfterSwitch() throws {
        let size = Int(WALSegmentSize.default.bytes)
        var machine = Stream.machine(syncBytes: .max, syncInterval: .seconds(3600))
        _ = try machine.handle(.data(start: Stream.lsn(0), count: size + 1000), now: .zero)
        #expect(try machine.handle(next(2, size + 900), now: .zero) == [.sync])
        #expect(try machine.handle(.stop(at: .invalid), now: .zero) == [])
        #expect(
            try machine.handle(.settled(Stream.lsn(size + 1000)), now: .zero) == [
                .follow(TimelineID(rawValue: 2), from: Stream.lsn(size))
            ])
        #expect(try machine.handle(.stop(at: .invalid), now: .zero) == [.finish])
        // What the server sends of the new one is left out.
        #expect(try machine.handle(.data(start: Stream.lsn(size), count: 10), now: .zero) == [])
    }

    @Test("what was asked to be synced of the old timeline is no sync of the new one")
    func syncAfterSwitch() throws {
        let size = Int(WALSegmentSize.default.bytes)
        var machine = Stream.machine(syncBytes: 1000)
        _ = try machine.handle(.data(start: Stream.lsn(0), count: size + 500), now: .zero)
        _ = try machine.handle(next(2, size + 500), now: .zero)
        _ = try machine.handle(.synced(Stream.lsn(size + 500)), now: .zero)
        #expect(
            try machine.handle(.data(start: Stream.lsn(size), count: 1000), now: .zero) == [
                .write(0..<1000, segment: Stream.segment(4, timeline: 2), offset: 0), .sync,
            ])
    }

    @Test("one that is not newer, or that begins beyond what was sent, is refused")
    func refused() throws {
        for (timeline, offset) in [(1, 100), (2, 101)] as [(UInt32, Int)] {
            var machine = Stream.machine()
            _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
            let error = #expect(throws: StreamError.self) { try machine.handle(next(timeline, offset), now: .zero) }
            #expect(error?.code == .protocolViolation)
        }
    }
}
