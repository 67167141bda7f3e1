import Testing
import UnderstudyWAL

@testable import UnderstudyReceiver

@Suite("The rules of receiving WAL: which position is told as flushed")
struct FlushReportTests {
    private func machine(_ report: FlushReport) -> ReceiveMachine {
        ReceiveMachine(
            start: Stream.start, timeline: TimelineID(rawValue: 1), segmentSize: .default,
            policy: .init(statusInterval: nil, syncInterval: .zero, flushReport: report))
    }

    /// A machine to which 100 bytes have come, written and synced; what it has told.
    private func told(_ report: FlushReport) throws -> (ReceiveMachine, [ReceiveMachine.Action]) {
        var machine = machine(report)
        var actions: [ReceiveMachine.Action] = []
        for event: ReceiveMachine.Event in [
            .data(start: Stream.start, count: 100), .drained, .synced(Stream.lsn(80)), .written(Stream.lsn(100)),
            .keepalive(replyRequested: true),
        ] {
            actions += try machine.handle(event, now: .zero).filter {
                if case .acknowledge = $0 { true } else { false }
            }
        }
        return (machine, actions)
    }

    @Test("none while the limit is invalid, whatever is synced or asked for")
    func never() throws {
        for basis in [FlushReport.Basis.synced, .written] {
            let (_, actions) = try told(.init(basis, limit: .invalid))
            #expect(!actions.isEmpty && actions.allSatisfy { $0 == Stream.status(100, nil) })
        }
    }

    @Test("what is synced, or what is written, and nothing beyond the limit")
    func limits() throws {
        #expect(try told(.init(.synced)).1.last == Stream.status(100, 80))
        #expect(try told(.init(.written)).1.last == Stream.status(100, 100))
        for basis in [FlushReport.Basis.synced, .written] {
            let (_, actions) = try told(.init(basis, limit: Stream.lsn(40)))
            // Beside a flush position, commits with synchronous_commit = remote_write return by the written one.
            #expect(actions.last == Stream.status(40, 40))
            #expect(actions.allSatisfy { [Stream.status(40, nil), Stream.status(40, 40)].contains($0) })
        }
    }

    @Test("not what has only come, where what is written counts")
    func notReceived() throws {
        var machine = machine(.init(.written))
        _ = try machine.handle(.data(start: Stream.start, count: 100), now: .zero)
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .zero).first == Stream.status(100, nil))
        #expect(try machine.handle(.written(Stream.lsn(50)), now: .zero) == [Stream.status(100, 50)])
    }

    @Test("another limit is told at once if it changes what is told, and then only")
    func changes() throws {
        var (machine, _) = try told(.init(.synced, limit: Stream.lsn(20)))
        #expect(try machine.handle(.flushLimit(Stream.lsn(20)), now: .zero) == [])
        #expect(try machine.handle(.flushLimit(Stream.lsn(40)), now: .zero) == [Stream.status(40, 40)])
        #expect(try machine.handle(.flushLimit(Stream.lsn(90)), now: .zero) == [Stream.status(90, 80)])
        #expect(try machine.handle(.flushLimit(Stream.lsn(500)), now: .zero) == [])
        // Taken back: the server then takes the stream for no standby that commits could wait for.
        #expect(try machine.handle(.flushLimit(.invalid), now: .zero) == [Stream.status(100, nil)])
    }

    @Test("is no sign of life")
    func silence() throws {
        var machine = Stream.machine(silenceLimit: .seconds(60))
        #expect(try machine.handle(.flushLimit(.invalid), now: .seconds(29)) == [])
        #expect(try machine.handle(.drained, now: .seconds(30)) == [Stream.status(0, nil, asking: true)])
    }
}
