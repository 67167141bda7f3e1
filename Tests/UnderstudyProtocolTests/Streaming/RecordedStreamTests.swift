import Testing
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyProtocol

/// What real servers streamed, fed to the machine message by message: it may end after any of them.
@Suite struct RecordedStreamTests {
    struct Session: Sendable, CustomTestStringConvertible {
        var version: String
        var name: String
        var testDescription: String { "\(version) \(name)" }

        static let all = Recording.versions.flatMap { version in
            [
                "31-start-replication", "33-start-replication-idle", "34-timeout-streaming",
                "43-start-replication-tli1", "44-start-replication-tli2", "70-shutdown-streaming",
            ].map { Session(version: version, name: $0) }
        }
    }

    @Test(arguments: Session.all)
    func `after each message exactly what has come is written, and no more is acknowledged`(session: Session) throws {
        let recording = try Recording(session.version)
        let facts = try #require(recording.meta.streams[session.name])
        let start = try #require(LSN(facts.start_lsn))
        let size = try #require(WALSegmentSize(bytes: UInt64(recording.meta.segment_size)))
        var machine = ReceiveMachine(
            start: start, timeline: TimelineID(rawValue: facts.timeline), segmentSize: size,
            policy: .init(statusInterval: nil, syncBytes: 1 << 20))
        var segments: [(name: String, bytes: Int)] = []
        var written: [UInt8] = []
        var asked = start
        for message in try recording.copyData(session.name) {
            let bytes = Array(message)
            for action in try machine.handle(event(bytes), now: .zero) {
                switch action {
                case .write(let range, let segment, let offset):
                    if segments.last?.name != segment.description { segments.append((segment.description, 0)) }
                    #expect(segments.last?.bytes == offset)
                    segments[segments.count - 1].bytes += range.count
                    written += bytes[(25 + range.lowerBound)..<(25 + range.upperBound)]
                case .sync: asked = machine.received
                case .acknowledge(let status):
                    // Only a keepalive that asks is answered; nothing has been written or synced yet.
                    #expect(status == StandbyStatus(written: start, flushed: .invalid))
                default: Issue.record("\(action)")
                }
            }
            // The cut: what can be known is known.
            #expect(machine.received.rawValue == start.rawValue + UInt64(written.count))
            #expect(machine.flushed == .invalid)
            var cut = machine
            let actions = try cut.handle(.synced(asked), now: .zero)
            #expect(cut.flushed == asked)
            #expect(
                actions == [.acknowledge(StandbyStatus(written: asked, flushed: asked))])
        }
        #expect(same(written, try recording.wal(session.name)))
        #expect(machine.received == LSN(facts.end_lsn))
        #expect(segments.map(\.name) == facts.segments.map(\.name))
        #expect(segments.map(\.bytes) == facts.segments.map(\.bytes))
    }

    private func event(_ bytes: [UInt8]) throws -> ReceiveMachine.Event {
        switch try unsafe WALMessage(bytes.span.bytes) {
        case .data(let start, _, let content): .data(start: start, count: content.byteCount)
        case .keepalive(_, let replyRequested): .keepalive(replyRequested: replyRequested)
        case .other: .tick
        }
    }
}
