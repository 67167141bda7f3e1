import Testing
import UnderstudyWAL

@testable import UnderstudyProtocol

@Suite("The rules of receiving WAL: a limit to what is told as flushed")
struct FlushLimitTests {
    /// A machine to which 100 bytes have come, all written and 80 synced; what it has told.
    private func told(_ limit: LSN, reserved: LSN = .invalid) throws -> (ReceiveMachine, [ReceiveMachine.Action]) {
        var machine = ReceiveMachine(
            start: Stream.start, timeline: TimelineID(rawValue: 1), segmentSize: .default, reserved: reserved,
            policy: .init(statusInterval: nil, syncInterval: .zero, flushLimit: limit))
        var actions: [ReceiveMachine.Action] = []
        for event: ReceiveMachine.Event in [
            .data(start: Stream.start, count: 100), .drained, .written(Stream.lsn(100)), .synced(Stream.lsn(80)),
            .settled(Stream.lsn(100)), .keepalive(replyRequested: true),
        ] {
            actions += try machine.handle(event, now: .zero).filter {
                if case .acknowledge = $0 { true } else { false }
            }
        }
        return (machine, actions)
    }

    @Test("no position is told while it is invalid, whatever is synced or asked for")
    func never() throws {
        let (machine, actions) = try told(.invalid)
        #expect(!actions.isEmpty && actions.allSatisfy { $0 == Stream.status(100, nil) })
        #expect(machine.withdrawsFlush)
    }

    @Test("nothing is told beyond it, neither as flushed nor as written")
    func limits() throws {
        #expect(try told(.unlimited).1.last == Stream.status(100, 80))
        // Beside a flush position, commits with synchronous_commit = remote_write return by the written one.
        let (machine, actions) = try told(Stream.lsn(40))
        #expect(!actions.isEmpty && actions.allSatisfy { $0 == Stream.status(40, 40) })
        #expect(!machine.withdrawsFlush)
    }

    @Test("another one is told at once if it changes what is told, and then only")
    func changes() throws {
        var (machine, _) = try told(Stream.lsn(20))
        #expect(try machine.handle(.flushLimit(Stream.lsn(20)), now: .zero) == [])
        #expect(try machine.handle(.flushLimit(Stream.lsn(40)), now: .zero) == [Stream.status(40, 40)])
        #expect(try machine.handle(.flushLimit(Stream.lsn(90)), now: .zero) == [Stream.status(90, 80)])
        #expect(try machine.handle(.flushLimit(Stream.lsn(500)), now: .zero) == [])
        // Taken back: the server then takes the stream for no standby that commits could wait for.
        #expect(try machine.handle(.flushLimit(.invalid), now: .zero) == [Stream.status(100, nil)])
    }

    @Test("nothing is told as flushed before the limit is where the slot keeps WAL from")
    func reserved() throws {
        var (machine, actions) = try told(Stream.lsn(40), reserved: Stream.lsn(50))
        #expect(!actions.isEmpty && actions.allSatisfy { $0 == Stream.status(40, nil) })
        #expect(try machine.handle(.flushLimit(Stream.lsn(60)), now: .zero) == [Stream.status(60, 60)])
    }

    @Test("is no sign of life")
    func silence() throws {
        var machine = Stream.machine(silenceLimit: .seconds(60))
        #expect(try machine.handle(.flushLimit(.invalid), now: .seconds(29)) == [])
        #expect(try machine.handle(.drained, now: .seconds(30)) == [Stream.status(0, nil, asking: true)])
    }
}
