import Testing
import UnderstudyConnection
import UnderstudyProtocol
import UnderstudyWAL

@testable import UnderstudyReceiver

@Suite("The rules of receiving WAL: timelines")
struct TimelineSwitchTests {
    private func next(_ timeline: UInt32, _ offset: Int) throws -> ReceiveMachine.Event {
        let row = ["\(timeline)", "\(Stream.lsn(offset))"]
        return .endOfTimeline(
            try NextTimeline(ResultSet(columns: ["next_tli", "next_tli_startpos"], rows: [row])))
    }

    @Test("at its end the stream goes on with the next one, from the start of the segment")
    func follow() throws {
        let size = Int(WALSegmentSize.default.bytes)
        var machine = Stream.machine(syncBytes: .max)
        _ = try machine.handle(.data(start: Stream.lsn(0), count: size + 1000), now: .zero)
        #expect(
            try machine.handle(next(2, size + 900), now: .zero) == [
                .sync, .follow(TimelineID(rawValue: 2), from: Stream.lsn(size)),
            ])
        #expect(machine.timeline == TimelineID(rawValue: 2))
        #expect(
            try machine.handle(.data(start: Stream.lsn(size), count: 10), now: .zero) == [
                .write(0..<10, segment: Stream.segment(4, timeline: 2), offset: 0)
            ])
    }

    @Test("nothing is acknowledged between two timelines: there is no copy to do it in")
    func noStatusBetween() throws {
        var machine = Stream.machine(statusInterval: .seconds(10))
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        #expect(
            try machine.handle(next(2, 100), now: .seconds(60)) == [
                .sync, .follow(TimelineID(rawValue: 2), from: Stream.lsn(0)),
            ])
        #expect(try machine.handle(.tick, now: .seconds(60)) == [Stream.status(0, nil)])
    }

    @Test("what was synced of the old timeline is not told of the new one")
    func notBeyondReceived() throws {
        var machine = Stream.machine()
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        _ = try machine.handle(.synced(Stream.lsn(100)), now: .zero)
        _ = try machine.handle(next(2, 80), now: .zero)
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .zero) == [Stream.status(0, 0)])
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 50), now: .zero)
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .zero) == [Stream.status(50, 0), .sync])
    }

    @Test("a stop waits for what was written of the old timeline, and for nothing else")
    func stopAfterSwitch() throws {
        let size = Int(WALSegmentSize.default.bytes)
        var machine = Stream.machine(syncBytes: .max, syncInterval: .seconds(3600))
        _ = try machine.handle(.data(start: Stream.lsn(0), count: size + 1000), now: .zero)
        _ = try machine.handle(next(2, size + 900), now: .zero)
        #expect(try machine.handle(.stop(at: .invalid), now: .zero) == [])
        // What the server sends of the new one is left out.
        #expect(try machine.handle(.data(start: Stream.lsn(size), count: 10), now: .zero) == [])
        #expect(try machine.handle(.written(Stream.lsn(size)), now: .zero) == [.finish])
    }

    @Test("what was asked to be synced of the old timeline is no sync of the new one")
    func syncAfterSwitch() throws {
        let size = Int(WALSegmentSize.default.bytes)
        var machine = Stream.machine(syncBytes: 1000)
        _ = try machine.handle(.data(start: Stream.lsn(0), count: size + 500), now: .zero)
        _ = try machine.handle(next(2, size + 500), now: .zero)
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
            let error = #expect(throws: ReceiveError.self) { try machine.handle(next(timeline, offset), now: .zero) }
            #expect(error?.code == .protocolViolation)
        }
    }
}
