import MetricsTestKit
import Testing
import UnderstudyCore
import UnderstudyStreaming
import UnderstudyWAL

@testable import UnderstudyWALArchive

@Suite("The archiver's metrics")
struct ArchiverMetricsTests {
    private let backend = TestMetrics()
    private let start = WALPosition(timeline: 1, lsn: LSN(rawValue: 0x300_0000))

    private func metrics(_ name: String = "a") -> ArchiverMetrics { ArchiverMetrics(name, factory: backend) }

    private func positions(
        received: UInt64, acknowledged: UInt64 = 0, server: UInt64 = 0, timeline: TimelineID = 1
    ) -> StreamPositions {
        func lsn(_ offset: UInt64) -> LSN { offset == 0 ? .invalid : LSN(rawValue: start.lsn.rawValue + offset) }
        return StreamPositions(
            timeline: timeline, received: lsn(received), synced: lsn(acknowledged), acknowledged: lsn(acknowledged),
            server: lsn(server))
    }

    private func values(_ gauge: String, _ name: String = "a") -> [Double]? {
        try? backend.expectGauge("understudy_wal_\(gauge)", [("archiver", name)]).values
    }

    private func total(_ counter: String, _ name: String = "a") -> Int64 {
        backend.counterTotal(label: "understudy_wal_\(counter)_total", dimensions: [("archiver", name)])
    }

    private static let late = ["received_lsn", "flush_lsn", "timeline"]

    @Test("have no gauge for a position before it is known, also on a later connection")
    func unknown() {
        let metrics = metrics(), begin = Double(start.lsn.rawValue)
        for gauge in Self.late { #expect(values(gauge) == nil, "\(gauge)") }
        #expect(values("connected") == [0] && values("stalled") == [0])
        metrics.beginStream(at: start)
        #expect(values("received_lsn") == [begin] && values("timeline") == [1] && values("connected") == [0, 1])
        metrics.note(positions(received: 5, server: 9))
        #expect(values("flush_lsn") == nil)
        metrics.note(positions(received: 9, acknowledged: 5, server: 9))
        #expect(values("flush_lsn") == [begin + 5])
        metrics.endStream(inOrder: false)
        metrics.beginStream(at: start)
        metrics.note(positions(received: 2, server: 9))
        #expect(values("flush_lsn") == [begin + 5])
        #expect(values("connected") == [0, 1, 0, 1])
    }

    @Test("count bytes, segments and gaps over all connections, and the bytes of no timeline twice")
    func counters() {
        let metrics = metrics()
        metrics.beginStream(at: start)
        metrics.note(positions(received: 5))
        metrics.note(positions(received: 12))
        #expect(total("received_bytes") == 12)
        metrics.note(positions(received: 0x100, timeline: 2))
        #expect(total("received_bytes") == 12)
        metrics.note(positions(received: 0x103, timeline: 2))
        metrics.endStream(inOrder: false)
        metrics.beginStream(at: start)
        metrics.note(positions(received: 1))
        #expect(total("received_bytes") == 16)
        for _ in 0..<3 { metrics.noteFinishedSegment() }
        metrics.noteGap()
        #expect(total("segments_finished") == 3 && total("gaps") == 1)
    }

    @Test("do not count an end in order as a disconnection")
    func disconnections() {
        let metrics = metrics()
        metrics.beginStream(at: start)
        metrics.endStream(inOrder: true)
        #expect(total("disconnections") == 0)
        metrics.beginStream(at: start)
        metrics.endStream(inOrder: false)
        #expect(total("disconnections") == 1)
    }

    @Test("have the times of syncs and until acknowledgements, in nanoseconds")
    func times() throws {
        let metrics = metrics()
        metrics.noteSync(.microseconds(1500))
        metrics.note(acknowledgedAfter: .milliseconds(2))
        func values(_ timer: String) throws -> [Int64] {
            try backend.expectTimer("understudy_wal_\(timer)_seconds", [("archiver", "a")]).values
        }
        #expect(try values("sync") == [1_500_000] && values("acknowledgement") == [2_000_000])
    }

    @Test("do not show a lack of room after the stream that met with it")
    func stalled() {
        let metrics = metrics()
        metrics.beginStream(at: start)
        metrics.note(isStalled: true)
        #expect(values("stalled") == [0, 1])
        metrics.endStream(inOrder: false)
        #expect(values("stalled") == [0, 1, 0])
    }

    @Test("of two archivers differ in a dimension")
    func dimension() {
        let one = metrics("one"), other = metrics("other")
        one.beginStream(at: start)
        one.endStream(inOrder: false)
        other.beginStream(at: start)
        #expect(total("disconnections", "one") == 1 && total("disconnections", "other") == 0)
        #expect(values("connected", "one") == [0, 1, 0] && values("connected", "other") == [0, 1])
        #expect(backend.counters.allSatisfy { $0.dimensions.map(\.0) == ["archiver"] })
        #expect(backend.recorders.allSatisfy { $0.dimensions.map(\.0) == ["archiver"] })
    }

    @Test("hold positions that no gauge can take")
    func huge() {
        let metrics = metrics()
        metrics.beginStream(at: WALPosition(timeline: .init(rawValue: .max), lsn: LSN(rawValue: .max)))
        #expect(values("received_lsn") == [Double(Int64.max)] && values("timeline") == [Double(UInt32.max)])
    }

    @Test("show the lag that the status has, whoever has changed it, from the first moment of a connection on")
    func lag() throws {
        let state = ArchiverState(isSynchronous: false), begin = start.lsn.rawValue
        state.show(in: StatusGauges("a", factory: backend))
        #expect(values("lag_bytes") == nil && values("server_lsn") == nil && values("silence_seconds") == nil)
        #expect(values("storage_wait_seconds") == [0] && values("receipt_wait_seconds") == [0])
        let writer = WALWriter(destination: WALDirectory("/nowhere"))
        #expect(state.beginStreaming(writer, from: start.lsn, reserved: LSN(rawValue: begin + 4)))
        state.change { $0.beginStream(at: start, serverAt: LSN(rawValue: begin + 9), isAgain: false) }
        // Nothing is acknowledged yet.
        #expect(state.status.lagIfKnown?.bytes == 5 && values("lag_bytes") == [5])
        // As SQL tells it.
        state.change { $0.server = LSN(rawValue: begin + 20) }
        #expect(state.status.lagBytes == 16 && values("lag_bytes") == [5, 16])
        #expect(values("server_lsn") == [Double(begin + 9), Double(begin + 20)])
        state.change { $0.acknowledged = LSN(rawValue: begin + 18) }
        #expect(values("lag_bytes") == [5, 16, 2])
        state.sampleWaits()
        #expect(values("receipt_wait_seconds")?.last ?? 0 > 0 && values("silence_seconds")?.count == 1)
        state.endStreaming()
        state.change { $0.phase = .waiting }
        #expect(state.status.lagIfKnown == nil && values("lag_bytes") == [5, 16, 2])
        var holdings = WALArchiver.Status.Holdings()
        holdings.gaps = [WALGap(start: start, end: start)]
        state.change { [holdings] in $0.holdings = holdings }
        state.change { $0.holdings?.gaps = [] }
        #expect(values("archive_gaps") == [1, 0])
    }
}
