import Testing
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

@testable import UnderstudyWALArchive

@Suite("An archiver's status")
struct ArchiverStatusTests {
    @Test("has the server's position of the present connection, not of the one before")
    func serverPosition() throws {
        let start = WALPosition(timeline: TimelineID(rawValue: 2), lsn: try #require(LSN("0/3000000")))
        let ahead = try #require(LSN("0/5000000")), behind = try #require(LSN("0/2000000"))
        let state = ArchiverState(isSynchronous: false)
        state.change { $0.beginStream(at: start, serverAt: start.lsn, isAgain: false) }
        state.change { $0.acknowledged = start.lsn }
        #expect(state.status.lagBytes == 0 && state.status.reconnects == 0)
        state.change { $0.beginStream(at: start, serverAt: ahead, isAgain: true) }
        #expect(state.status.lagBytes == 0x200_0000)
        #expect(state.status.server == ahead && state.status.reconnects == 1)
        // Whatever it says, it has what it is to send.
        state.change { $0.beginStream(at: start, serverAt: behind, isAgain: true) }
        #expect(state.status.lagBytes == 0)
        #expect(state.status.server == start.lsn && state.status.reconnects == 2)
        #expect(state.status.timeline == start.timeline && state.status.connectedSince != nil)
    }

    @Test("events that a listener was too slow for are handed back, oldest first")
    func missedEvents() async {
        let state = ArchiverState(isSynchronous: false), missed = Monitor<[WALSegment]>([])
        let events = state.listen { event in
            if case .segmentFinished(let segment) = event { missed.change { $0.append(segment) } }
        }
        for number in 1...UInt64(WALArchiver.bufferedEvents + 2) { state.tell(.segmentFinished(segment(number))) }
        state.end()
        #expect(missed.read { $0 } == [segment(1), segment(2)])
        var heard: [WALSegment] = []
        for await case .segmentFinished(let segment) in events { heard.append(segment) }
        #expect(heard.count == WALArchiver.bufferedEvents && heard.first == segment(3))
    }

    @Test("tells how long nothing has come though the server has more, since the last piece")
    func receiptWait() throws {
        let start = WALPosition(timeline: TimelineID(rawValue: 1), lsn: try #require(LSN("0/3000000")))
        let state = ArchiverState(isSynchronous: false)
        #expect(state.beginStreaming(WALWriter(destination: WALDirectory("/nowhere")), from: start.lsn, reserved: nil))
        state.change { $0.beginStream(at: start, serverAt: start.lsn, isAgain: false) }
        #expect(state.status.receiptWait == nil && state.status.silence != nil && state.status.storageWait == nil)
        state.change { $0.server = LSN("0/3000010")! }
        let first = try #require(state.status.receiptWait)
        #expect(try #require(state.status.receiptWait) > first)
        let before = try #require(state.status.receiptWait), began = ContinuousClock.now
        state.change { $0.received = LSN("0/3000008")! }
        #expect(try #require(state.status.receiptWait) < before + (ContinuousClock.now - began))
        state.change { $0.phase = .stalled }
        #expect(state.status.receiptWait == nil)
        state.change { $0.phase = .streaming }
        #expect(state.status.receiptWait != nil)
        state.change { $0.received = LSN("0/3000010")! }
        #expect(state.status.receiptWait == nil)
        state.endStreaming()
        state.change { $0.phase = .waiting }
        #expect(state.status.receiptWait == nil && state.status.silence == nil)
    }

    @Test("a wait is told once when it is too long, and once when it is over")
    func waits() {
        var warning = WaitWarning()
        let limit = Duration.seconds(10)
        #expect(warning.note(nil, limit: limit) == nil && warning.note(.seconds(10), limit: limit) == nil)
        #expect(warning.note(.seconds(11), limit: limit) == .tooLong(.seconds(11)))
        #expect(warning.note(.seconds(16), limit: limit) == nil)
        #expect(warning.note(.seconds(1), limit: limit) == .over && warning.note(nil, limit: limit) == nil)
    }
}
