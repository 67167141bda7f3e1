import Metrics
import UnderstudyStreaming
import UnderstudyWAL

/// The archiver's metrics, for swift-metrics. Their names are documented, and do not change.
struct ArchiverMetrics {
    private let receivedBytes = Counter(label: "understudy_wal_received_bytes_total")
    private let finishedSegments = Counter(label: "understudy_wal_segments_finished_total")
    private let disconnections = Counter(label: "understudy_wal_disconnections_total")
    private let receivedLSN = Gauge(label: "understudy_wal_received_lsn")
    private let flushLSN = Gauge(label: "understudy_wal_flush_lsn")
    private let serverLSN = Gauge(label: "understudy_wal_server_lsn")
    private let lagBytes = Gauge(label: "understudy_wal_lag_bytes")
    private let timeline = Gauge(label: "understudy_wal_timeline")
    private let connected = Gauge(label: "understudy_wal_connected")
    private let stalled = Gauge(label: "understudy_wal_stalled")

    private var last: StreamPositions?

    mutating func note(_ positions: StreamPositions) {
        guard positions != last else { return }
        // After a timeline switch the stream begins again, a little earlier.
        if let count = last?.received.distance(to: positions.received), last?.timeline == positions.timeline {
            receivedBytes.increment(by: Int64(clamping: count))
        }
        // A gauge traps on values that do not fit Int64, and a server may report any position.
        receivedLSN.record(Int64(clamping: positions.received.rawValue))
        flushLSN.record(Int64(clamping: positions.acknowledged.rawValue))
        serverLSN.record(Int64(clamping: positions.server.rawValue))
        if positions.acknowledged > .invalid {
            lagBytes.record(Int64(clamping: positions.acknowledged.distance(to: positions.server) ?? 0))
        }
        timeline.record(positions.timeline.rawValue)
        last = positions
    }

    mutating func beginStream(at positions: StreamPositions) {
        last = positions
        connected.record(1)
    }

    func endStream() {
        connected.record(0)
        disconnections.increment()
    }

    static func countGap() { Counter(label: "understudy_wal_gaps_total").increment() }

    func noteFinishedSegment() { finishedSegments.increment() }

    func note(isStalled: Bool) { stalled.record(isStalled ? 1 : 0) }
}
