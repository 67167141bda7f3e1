import Testing
import UnderstudyWAL

@testable import UnderstudyProtocol

@Suite("The rules of receiving WAL: a server whose commits wait for us")
struct SynchronousTests {
    @Test("has all that has arrived synced each time the input is drained, however short ago the last sync was")
    func drained() throws {
        var machine = Stream.machine(syncInterval: .seconds(1), isSynchronous: true)
        var position = 0
        for _ in 0..<3 {
            _ = try machine.handle(.data(start: Stream.lsn(position), count: 10), now: .seconds(1))
            position += 10
            #expect(machine.nextTick(now: .seconds(1)) == .zero)
            #expect(try machine.handle(.drained, now: .seconds(1)) == [.sync])
            // Nothing has come since: nothing to sync, and nothing to wake up for.
            #expect(machine.nextTick(now: .seconds(1)) == nil)
            #expect(try machine.handle(.drained, now: .seconds(1)) == [])
        }
        #expect(try machine.handle(.synced(Stream.lsn(30)), now: .seconds(1)) == [Stream.status(30, 30)])
    }

    @Test("does not have every message synced while more is there to be read")
    func notEachMessage() throws {
        var machine = Stream.machine(syncBytes: 1000, isSynchronous: true)
        #expect(
            try machine.handle(.data(start: Stream.lsn(0), count: 10), now: .seconds(5)) == [
                .write(0..<10, segment: Stream.segment(3), offset: 0)
            ])
        #expect(
            try machine.handle(.data(start: Stream.lsn(10), count: 990), now: .seconds(5)) == [
                .write(0..<990, segment: Stream.segment(3), offset: 10), .sync,
            ])
    }

    @Test("may become one, or be one no more, at any time")
    func changes() throws {
        var machine = Stream.machine(syncInterval: .seconds(1))
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 10), now: .zero)
        #expect(try machine.handle(.drained, now: .milliseconds(100)) == [])
        #expect(machine.nextTick(now: .milliseconds(100)) == .milliseconds(900))
        #expect(try machine.handle(.synchronous(true), now: .milliseconds(100)) == [])
        // What has waited for its time does not wait any longer.
        #expect(machine.nextTick(now: .milliseconds(100)) == .zero)
        #expect(try machine.handle(.drained, now: .milliseconds(100)) == [.sync])
        _ = try machine.handle(.data(start: Stream.lsn(10), count: 10), now: .milliseconds(200))
        #expect(try machine.handle(.synchronous(false), now: .milliseconds(200)) == [])
        #expect(machine.nextTick(now: .milliseconds(200)) == .milliseconds(900))
        #expect(try machine.handle(.drained, now: .milliseconds(1099)) == [])
        #expect(try machine.handle(.drained, now: .milliseconds(1100)) == [.sync])
    }

    @Test("is no sign of life")
    func silence() throws {
        var machine = Stream.machine(isSynchronous: true, silenceLimit: .seconds(60))
        #expect(try machine.handle(.synchronous(true), now: .seconds(29)) == [])
        #expect(try machine.handle(.drained, now: .seconds(30)) == [Stream.status(0, nil, asking: true)])
    }
}
