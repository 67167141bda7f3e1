import Testing
import UnderstudyConnection
import UnderstudyProtocol
import UnderstudyWAL

@testable import UnderstudyReceiver

/// Positions and segments of the tests: segments of 16 MB, the stream begins at 0/3000000.
enum Stream {
    static let start = LSN(rawValue: 0x300_0000)
    static let megabyte = 1 << 20

    static func lsn(_ offset: Int) -> LSN { LSN(rawValue: UInt64(Int(start.rawValue) + offset)) }

    static func segment(_ number: UInt64, timeline: UInt32 = 1, size: WALSegmentSize = .default) -> WALSegmentName {
        WALSegmentName(timeline: TimelineID(rawValue: timeline), number: number, size: size)!
    }

    /// A machine that sends no status by itself, unless it is told to.
    static func machine(
        statusInterval: Duration? = nil, syncBytes: UInt64 = 16 << 20, syncInterval: Duration = .seconds(1),
        syncsToDisk: Bool = true, segmentSize: WALSegmentSize = .default, silenceLimit: Duration? = nil
    ) -> ReceiveMachine {
        ReceiveMachine(
            start: start, timeline: TimelineID(rawValue: 1), segmentSize: segmentSize,
            policy: .init(
                statusInterval: statusInterval, syncBytes: syncBytes, syncInterval: syncInterval,
                syncsToDisk: syncsToDisk, silenceLimit: silenceLimit))
    }

    static func status(_ written: Int, _ flushed: Int?, asking: Bool = false) -> ReceiveMachine.Action {
        .acknowledge(
            StandbyStatus(written: lsn(written), flushed: flushed.map(lsn) ?? .invalid, replyRequested: asking))
    }
}

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
        let error = #expect(throws: ReceiveError.self) {
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
            let error = #expect(throws: ReceiveError.self) {
                try machine.handle(.data(start: LSN(rawValue: .max - 10), count: count), now: .zero)
            }
            #expect(error?.code == .protocolViolation)
        }
        var machine = ReceiveMachine(
            start: LSN(rawValue: .max - 10), timeline: TimelineID(rawValue: 1), segmentSize: .default, policy: .init())
        #expect(throws: ReceiveError.self) {
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
        #expect(try machine.handle(.synced(Stream.lsn(1000)), now: .zero) == [Stream.status(1999, 1000)])
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

    @Test("a flush position is told as soon as it is synced, once, and never taken back")
    func flushed() throws {
        var machine = Stream.machine()
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        #expect(try machine.handle(.synced(Stream.lsn(60)), now: .zero) == [Stream.status(100, 60)])
        #expect(try machine.handle(.synced(Stream.lsn(60)), now: .zero) == [])
        #expect(try machine.handle(.synced(Stream.lsn(40)), now: .zero) == [])
        #expect(machine.flushed == Stream.lsn(60))
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .zero) == [Stream.status(100, 60)])
    }

    @Test("a keepalive that asks for a reply gets one at once, another gets none")
    func keepalive() throws {
        var machine = Stream.machine()
        #expect(try machine.handle(.keepalive(replyRequested: false), now: .zero) == [])
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .zero) == [Stream.status(0, nil)])
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .zero) == [Stream.status(100, nil)])
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
                .write(0..<1, segment: Stream.segment(3), offset: 0), Stream.status(1, nil),
            ])
        #expect(machine.nextTick(now: .seconds(40)) == .zero)
    }

    @Test("without syncing no flush position is ever told")
    func unsynced() throws {
        var machine = Stream.machine(statusInterval: .seconds(10), syncsToDisk: false)
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        #expect(try machine.handle(.synced(Stream.lsn(100)), now: .seconds(1)) == [])
        #expect(try machine.handle(.tick, now: .seconds(10)) == [Stream.status(100, nil)])
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .seconds(11)) == [Stream.status(100, nil)])
        #expect(machine.flushed == .invalid)
    }
}

@Suite("The rules of receiving WAL: how a stream ends")
struct StopTests {
    @Test("at a position that is reached and synced, at once")
    func reachedAndSynced() throws {
        var machine = Stream.machine(syncBytes: 100)
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        _ = try machine.handle(.synced(Stream.lsn(100)), now: .zero)
        #expect(try machine.handle(.stop(at: Stream.lsn(100)), now: .zero) == [.finish])
    }

    @Test("where it began, if nothing is wanted", arguments: [0, -100])
    func nothingWanted(_ offset: Int) throws {
        var machine = Stream.machine()
        #expect(try machine.handle(.stop(at: Stream.lsn(offset)), now: .zero) == [.finish])
    }

    @Test("only after everything up to it is synced and acknowledged", arguments: [100, 60])
    func reached(_ stop: Int) throws {
        var machine = Stream.machine()
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        #expect(try machine.handle(.stop(at: Stream.lsn(stop)), now: .zero) == [.sync])
        #expect(try machine.handle(.tick, now: .zero) == [])
        #expect(try machine.handle(.synced(Stream.lsn(50)), now: .zero) == [Stream.status(100, 50)])
        #expect(try machine.handle(.synced(Stream.lsn(100)), now: .zero) == [Stream.status(100, 100), .finish])
        #expect(try machine.handle(.tick, now: .zero) == [])
    }

    @Test("after a sync that was asked for before, without another one")
    func syncUnderWay() throws {
        var machine = Stream.machine(syncBytes: 100)
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        #expect(try machine.handle(.stop(at: Stream.lsn(100)), now: .zero) == [])
        #expect(try machine.handle(.synced(Stream.lsn(100)), now: .zero) == [Stream.status(100, 100), .finish])
    }

    @Test("at a position still to come, with the message that brings it")
    func toCome() throws {
        var machine = Stream.machine()
        #expect(try machine.handle(.stop(at: Stream.lsn(100)), now: .zero) == [])
        #expect(
            try machine.handle(.data(start: Stream.lsn(0), count: 99), now: .zero) == [
                .write(0..<99, segment: Stream.segment(3), offset: 0)
            ])
        #expect(
            try machine.handle(.data(start: Stream.lsn(99), count: 50), now: .zero) == [
                .write(0..<50, segment: Stream.segment(3), offset: 99), .sync,
            ])
        // What the server sends until it hears of the end is left out, wherever it begins.
        #expect(try machine.handle(.data(start: Stream.lsn(149), count: 50), now: .zero) == [])
        #expect(machine.received == Stream.lsn(149))
        #expect(try machine.handle(.synced(Stream.lsn(149)), now: .zero) == [Stream.status(149, 149), .finish])
    }

    @Test("without syncing, when everything is written")
    func withoutSync() throws {
        var machine = Stream.machine(syncsToDisk: false)
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        #expect(try machine.handle(.stop(at: Stream.lsn(100)), now: .zero) == [.sync])
        #expect(try machine.handle(.synced(Stream.lsn(100)), now: .zero) == [.finish])
    }
}

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
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .zero) == [Stream.status(50, 0)])
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

@Suite("The rules of receiving WAL: a server that is silent")
struct SilenceTests {
    private var machine = Stream.machine(silenceLimit: .seconds(60))

    @Test("is asked for a sign of life after half of the limit, and given up at its end")
    mutating func stalled() throws {
        #expect(try machine.handle(.keepalive(replyRequested: false), now: .seconds(10)) == [])
        #expect(machine.nextTick(now: .seconds(10)) == .seconds(30))
        #expect(try machine.handle(.drained, now: .seconds(39)) == [])
        #expect(try machine.handle(.drained, now: .seconds(40)) == [Stream.status(0, nil, asking: true)])
        // Once is enough.
        #expect(try machine.handle(.drained, now: .seconds(41)) == [])
        #expect(machine.nextTick(now: .seconds(41)) == .seconds(29))
        let error = #expect(throws: ReceiveError.self) { try machine.handle(.drained, now: .seconds(70)) }
        #expect(error?.connection?.code == .stalled)
        #expect(error?.message == "server has sent nothing for 60 s")
    }

    @Test("is trusted again when anything comes")
    mutating func answered() throws {
        #expect(try machine.handle(.drained, now: .seconds(30)) == [Stream.status(0, nil, asking: true)])
        #expect(try machine.handle(.keepalive(replyRequested: false), now: .seconds(31)) == [])
        #expect(try machine.handle(.drained, now: .seconds(60)) == [])
        #expect(try machine.handle(.drained, now: .seconds(61)) == [Stream.status(0, nil, asking: true)])
    }

    @Test("has its full time to answer, however late it was asked")
    mutating func lateQuestion() throws {
        #expect(try machine.handle(.drained, now: .seconds(600)) == [Stream.status(0, nil, asking: true)])
        #expect(try machine.handle(.drained, now: .seconds(629)) == [])
        #expect(throws: ReceiveError.self) { try machine.handle(.drained, now: .seconds(630)) }
    }

    @Test("is not to blame while the disk keeps us from listening")
    mutating func slowDisk() throws {
        for second in 1...600 { #expect(try machine.handle(.tick, now: .seconds(second)) == []) }
        #expect(try machine.handle(.drained, now: .seconds(620)) == [])
        #expect(try machine.handle(.drained, now: .seconds(630)) == [Stream.status(0, nil, asking: true)])
    }

    @Test("is waited for without a limit")
    func unlimited() throws {
        var machine = Stream.machine()
        #expect(machine.nextTick(now: .zero) == nil)
        #expect(try machine.handle(.drained, now: .seconds(1_000_000)) == [])
    }
}
