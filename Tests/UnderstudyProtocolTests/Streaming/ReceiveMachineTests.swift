import Testing
import UnderstudyWAL

@testable import UnderstudyProtocol

@Suite("The rules of receiving WAL: what arrives")
struct ReceivedDataTests {
    @Test("follows what came before, byte after byte")
    func contiguous() throws {
        var machine = Stream.machine()
        #expect(
            try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero) == [
                .write(0..<100, segment: Stream.segment(3), offset: 0)
            ])
        #expect(
            try machine.handle(.data(start: Stream.lsn(100), count: 5), now: .zero) == [
                .write(0..<5, segment: Stream.segment(3), offset: 100)
            ])
        #expect(try machine.handle(.data(start: Stream.lsn(105), count: 0), now: .zero) == [])
        #expect(machine.received == Stream.lsn(105))
        #expect(machine.flushed == .invalid)
    }

    @Test("is refused if it leaves a gap, overlaps, or goes back", arguments: [101, 99, 0, -1, Int(1) << 40])
    func contiguity(_ offset: Int) throws {
        var machine = Stream.machine()
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        let error = #expect(throws: StreamError.self) {
            try machine.handle(.data(start: Stream.lsn(offset), count: 10), now: .zero)
        }
        #expect(error?.code == .protocolViolation)
        #expect(error?.message == "server sent WAL from \(Stream.lsn(offset)), expected 0/3000064")
        #expect(machine.received == Stream.lsn(100))
    }

    @Test("is split where a segment ends", arguments: [1, 16, 64] as [UInt64])
    func segments(_ megabytes: UInt64) throws {
        let size = try #require(WALSegmentSize(bytes: megabytes << 20))
        let bytes = Int(size.bytes)
        let first = Stream.start.segmentNumber(size)
        let offset = Int(Stream.start.segmentOffset(size))
        var machine = Stream.machine(syncBytes: .max, segmentSize: size)
        let rest = bytes - offset
        // To one byte before the boundary, over it, exactly to the next one, and over two at once.
        #expect(
            try machine.handle(.data(start: Stream.lsn(0), count: rest - 1), now: .zero) == [
                .write(0..<rest - 1, segment: Stream.segment(first, size: size), offset: offset)
            ])
        #expect(
            try machine.handle(.data(start: Stream.lsn(rest - 1), count: 3), now: .zero) == [
                .write(0..<1, segment: Stream.segment(first, size: size), offset: bytes - 1),
                .write(1..<3, segment: Stream.segment(first + 1, size: size), offset: 0),
            ])
        #expect(
            try machine.handle(.data(start: Stream.lsn(rest + 2), count: bytes - 2), now: .zero) == [
                .write(0..<bytes - 2, segment: Stream.segment(first + 1, size: size), offset: 2)
            ])
        #expect(
            try machine.handle(.data(start: Stream.lsn(rest + bytes), count: 2 * bytes + 1), now: .zero) == [
                .write(0..<bytes, segment: Stream.segment(first + 2, size: size), offset: 0),
                .write(bytes..<2 * bytes, segment: Stream.segment(first + 3, size: size), offset: 0),
                .write(2 * bytes..<2 * bytes + 1, segment: Stream.segment(first + 4, size: size), offset: 0),
            ])
    }

    @Test("is refused beyond the last position, and beyond the last whole segment")
    func endOfLog() throws {
        for count in [100, 1 << 20] {
            var machine = ReceiveMachine(
                start: LSN(rawValue: .max - 10), timeline: TimelineID(rawValue: 1), segmentSize: .default,
                policy: .init())
            let error = #expect(throws: StreamError.self) {
                try machine.handle(.data(start: LSN(rawValue: .max - 10), count: count), now: .zero)
            }
            #expect(error?.code == .protocolViolation)
        }
        var machine = ReceiveMachine(
            start: LSN(rawValue: .max - 10), timeline: TimelineID(rawValue: 1), segmentSize: .default, policy: .init())
        #expect(throws: StreamError.self) {
            try machine.handle(.data(start: LSN(rawValue: .max - 10), count: 1), now: .zero)
        }
    }
}

@Suite("The rules of receiving WAL: syncing and acknowledging")
struct AcknowledgementTests {
    @Test("a sync is asked for when there are as many bytes as the policy allows")
    func syncBytes() throws {
        var machine = Stream.machine(syncBytes: 1000)
        #expect(
            try machine.handle(.data(start: Stream.lsn(0), count: 999), now: .zero) == [
                .write(0..<999, segment: Stream.segment(3), offset: 0)
            ])
        #expect(
            try machine.handle(.data(start: Stream.lsn(999), count: 1), now: .zero) == [
                .write(0..<1, segment: Stream.segment(3), offset: 999), .sync,
            ])
        // What is asked for is not counted again, even if it is not done yet.
        #expect(
            try machine.handle(.data(start: Stream.lsn(1000), count: 999), now: .zero) == [
                .write(0..<999, segment: Stream.segment(3), offset: 1000)
            ])
        #expect(try machine.handle(.synced(Stream.lsn(1000)), now: .zero) == [Stream.status(1000, 1000)])
        #expect(
            try machine.handle(.data(start: Stream.lsn(1999), count: 500), now: .zero) == [
                .write(0..<500, segment: Stream.segment(3), offset: 1999), .sync,
            ])
    }

    @Test("a sync is asked for when the input is drained and the last one is long enough ago")
    func syncInterval() throws {
        var machine = Stream.machine(syncInterval: .seconds(1))
        #expect(machine.nextTick(now: .zero) == nil)
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 10), now: .milliseconds(200))
        #expect(machine.nextTick(now: .milliseconds(200)) == .milliseconds(800))
        #expect(try machine.handle(.drained, now: .milliseconds(999)) == [])
        #expect(try machine.handle(.drained, now: .seconds(1)) == [.sync])
        #expect(machine.nextTick(now: .seconds(1)) == nil)
        #expect(try machine.handle(.drained, now: .seconds(5)) == [])
        _ = try machine.handle(.data(start: Stream.lsn(10), count: 10), now: .seconds(5))
        #expect(machine.nextTick(now: .seconds(5)) == .zero)
        #expect(try machine.handle(.drained, now: .seconds(5)) == [.sync])
    }

    @Test("a sync is asked for when the first byte without one has waited long enough, drained or not")
    func longestUnsynced() throws {
        var machine = Stream.machine()
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 10), now: .seconds(100))
        #expect(
            try machine.handle(.data(start: Stream.lsn(10), count: 10), now: .milliseconds(101_999)) == [
                .write(0..<10, segment: Stream.segment(3), offset: 10)
            ])
        #expect(
            try machine.handle(.data(start: Stream.lsn(20), count: 10), now: .seconds(102)) == [
                .write(0..<10, segment: Stream.segment(3), offset: 20), .sync,
            ])
        #expect(
            try machine.handle(.data(start: Stream.lsn(30), count: 10), now: .milliseconds(102_001)) == [
                .write(0..<10, segment: Stream.segment(3), offset: 30)
            ])
    }

    @Test("a flush position is told as soon as it is synced, once, and never taken back")
    func flushed() throws {
        var machine = Stream.machine()
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        #expect(try machine.handle(.synced(Stream.lsn(60)), now: .zero) == [Stream.status(60, 60)])
        #expect(try machine.handle(.synced(Stream.lsn(60)), now: .zero) == [])
        #expect(try machine.handle(.synced(Stream.lsn(40)), now: .zero) == [])
        #expect(machine.flushed == Stream.lsn(60))
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .zero) == [Stream.status(60, 60), .sync])
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .zero) == [Stream.status(60, 60)])
    }

    @Test("a keepalive that asks for a reply gets one at once, another gets none")
    func keepalive() throws {
        var machine = Stream.machine()
        #expect(try machine.handle(.keepalive(replyRequested: false), now: .zero) == [])
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .zero) == [Stream.status(0, nil)])
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        #expect(try machine.handle(.keepalive(replyRequested: false), now: .zero) == [])
        // A server that shuts down waits for the acknowledgement of all of it.
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .zero) == [Stream.status(0, nil), .sync])
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .zero) == [Stream.status(0, nil)])
        #expect(try machine.handle(.synced(Stream.lsn(100)), now: .zero) == [Stream.status(100, 100)])
    }

    @Test("a status is sent first of all, then each time that the interval has passed")
    func statusInterval() throws {
        var machine = Stream.machine(statusInterval: .seconds(10))
        #expect(try machine.handle(.tick, now: .zero) == [Stream.status(0, nil)])
        #expect(machine.nextTick(now: .seconds(4)) == .seconds(6))
        #expect(try machine.handle(.tick, now: .seconds(9)) == [])
        // A status for another reason begins the interval anew, and is not doubled.
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .seconds(10)) == [Stream.status(0, nil)])
        #expect(try machine.handle(.tick, now: .seconds(19)) == [])
        #expect(
            try machine.handle(.data(start: Stream.lsn(0), count: 1), now: .seconds(20)) == [
                .write(0..<1, segment: Stream.segment(3), offset: 0), Stream.status(0, nil),
            ])
        #expect(machine.nextTick(now: .seconds(40)) == .zero)
    }

    @Test("what is written but not synced is told as written, never as flushed; what is only received, as neither")
    func unsynced() throws {
        var machine = Stream.machine(statusInterval: .seconds(10))
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        #expect(try machine.handle(.tick, now: .seconds(10)) == [Stream.status(0, nil)])
        #expect(try machine.handle(.written(Stream.lsn(70)), now: .seconds(11)) == [])
        #expect(try machine.handle(.tick, now: .seconds(20)) == [Stream.status(70, nil)])
        #expect(
            try machine.handle(.keepalive(replyRequested: true), now: .seconds(21)) == [
                Stream.status(70, nil), .sync,
            ])
        #expect(try machine.handle(.settled(Stream.lsn(100)), now: .seconds(22)) == [])
        #expect(machine.flushed == .invalid)
        // A later sync may reach less than what is written, or more than what was said of it.
        #expect(try machine.handle(.synced(Stream.lsn(30)), now: .seconds(23)) == [Stream.status(70, 30)])
        #expect(try machine.handle(.synced(Stream.lsn(90)), now: .seconds(23)) == [Stream.status(90, 90)])
        // Neither goes back.
        #expect(try machine.handle(.written(Stream.lsn(80)), now: .seconds(23)) == [])
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .seconds(23)) == [Stream.status(90, 90)])
    }
}

@Suite("The rules of receiving WAL: what is held when a stream begins")
struct HeldTests {
    @Test("is told at once, as the stock tool does")
    func held() throws {
        var machine = Stream.machine(statusInterval: .seconds(10), held: Stream.start)
        #expect(machine.flushed == Stream.start)
        #expect(try machine.handle(.tick, now: .zero) == [Stream.status(0, 0)])
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .zero) == [Stream.status(0, 0), .sync])
    }

    @Test("is not told where the slot is further already, until more is synced than that")
    func reserved() throws {
        var machine = Stream.machine(statusInterval: .seconds(10), held: Stream.start, reserved: Stream.lsn(500))
        #expect(try machine.handle(.tick, now: .zero) == [Stream.status(0, nil)])
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 1000), now: .zero)
        #expect(try machine.handle(.synced(Stream.lsn(499)), now: .zero) == [Stream.status(0, nil)])
        #expect(try machine.handle(.synced(Stream.lsn(500)), now: .zero) == [Stream.status(500, 500)])
    }
}
