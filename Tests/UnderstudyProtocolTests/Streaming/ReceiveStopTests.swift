import Testing
import UnderstudyWAL

@testable import UnderstudyProtocol

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
        #expect(try machine.handle(.synced(Stream.lsn(50)), now: .zero) == [Stream.status(50, 50)])
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
        var machine = Stream.machine()
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        #expect(try machine.handle(.stop(at: Stream.lsn(100)), now: .zero) == [.sync])
        #expect(try machine.handle(.settled(Stream.lsn(99)), now: .zero) == [])
        #expect(try machine.handle(.settled(Stream.lsn(100)), now: .zero) == [.finish])
        #expect(machine.flushed == .invalid)
    }

    @Test("when the rest is written, if no more than a part of it can be synced")
    func partlySynced() throws {
        var machine = Stream.machine()
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        #expect(try machine.handle(.stop(at: .invalid), now: .zero) == [.sync])
        #expect(try machine.handle(.synced(Stream.lsn(60)), now: .zero) == [Stream.status(60, 60)])
        #expect(try machine.handle(.settled(Stream.lsn(100)), now: .zero) == [.finish])
        #expect(machine.flushed == Stream.lsn(60))
    }
}

@Suite("The rules of receiving WAL: a server that ends the stream")
struct EndOfStreamTests {
    @Test("is an error, unless it may be connected to again")
    func withoutReconnects() throws {
        var machine = Stream.machine()
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        let error = #expect(throws: StreamError.self) { try machine.handle(.endOfStream, now: .zero) }
        #expect(error?.code == .endedEarly)
        #expect(error?.message == "server ended the WAL stream at 0/3000064")
    }

    @Test("is left for another connection, and hears nothing more", arguments: [nil, 0, 100, 200])
    func reconnects(_ stop: Int?) throws {
        var machine = Stream.machine(statusInterval: .seconds(1), reconnects: true)
        _ = try machine.handle(.data(start: Stream.lsn(0), count: 100), now: .zero)
        if let stop { _ = try machine.handle(.stop(at: Stream.lsn(stop)), now: .zero) }
        // The copy that would carry a status is over.
        #expect(try machine.handle(.endOfStream, now: .seconds(60)) == [.reconnect])
        #expect(machine.received == Stream.lsn(100))
    }

    @Test("has nothing to end after the stop", arguments: [true, false])
    func finished(_ reconnects: Bool) throws {
        var machine = Stream.machine(statusInterval: .seconds(1), reconnects: reconnects)
        #expect(try machine.handle(.stop(at: Stream.start), now: .zero) == [Stream.status(0, nil), .finish])
        #expect(try machine.handle(.endOfStream, now: .seconds(60)) == [])
    }
}
