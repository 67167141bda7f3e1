import Metrics
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Records the metrics of an archiver for swift-metrics: made once for a run, so that counts go on over all its
/// connections. Used only by the archiver's thread, but for ``noteSync``. What its status says is ``StatusGauges``'s.
final class ArchiverMetrics {
    /// Tells the archivers of one process apart.
    static let dimension = "archiver"

    private let receivedBytes, finishedSegments, disconnections, gaps: Counter
    private let connected, stalled: Gauge
    private let syncTime, acknowledgementTime: Timer
    private var receivedLSN, flushLSN, timeline: LateGauge
    /// How far the stream has come; nil without one.
    private var received: WALPosition?

    /// - Parameter name: The value of the dimension.
    init(_ name: String, factory: any MetricsFactory) {
        let dimensions = [(Self.dimension, name)]
        func counter(_ metric: ArchiverMetric) -> Counter {
            Counter(label: metric.rawValue, dimensions: dimensions, factory: factory)
        }
        func gauge(_ metric: ArchiverMetric) -> Gauge {
            Gauge(label: metric.rawValue, dimensions: dimensions, factory: factory)
        }
        func late(_ metric: ArchiverMetric) -> LateGauge { LateGauge { gauge(metric) } }
        func timer(_ metric: ArchiverMetric) -> Timer {
            Timer(label: metric.rawValue, dimensions: dimensions, factory: factory)
        }
        syncTime = timer(.syncTime)
        acknowledgementTime = timer(.acknowledgementTime)
        receivedBytes = counter(.receivedBytes)
        finishedSegments = counter(.finishedSegments)
        disconnections = counter(.disconnections)
        gaps = counter(.gaps)
        connected = gauge(.connected)
        stalled = gauge(.stalled)
        receivedLSN = late(.receivedLSN)
        flushLSN = late(.flushLSN)
        timeline = late(.timeline)
        connected.record(0)
        stalled.record(0)
    }

    func beginStream(at start: WALPosition) {
        connected.record(1)
        note(received: start)
    }

    func note(_ positions: StreamPositions) {
        note(received: WALPosition(timeline: positions.timeline, lsn: positions.received))
        // If the server was told nothing on this connection, the gauge stays.
        flushLSN.record(positions.acknowledged)
    }

    private func note(received position: WALPosition) {
        // After a timeline switch the stream begins again, a little earlier.
        if let before = received, before.timeline == position.timeline,
            let count = before.lsn.distance(to: position.lsn), count > 0
        {
            receivedBytes.increment(by: Int64(clamping: count))
        }
        received = position
        receivedLSN.record(position.lsn)
        timeline.record(UInt64(position.timeline.rawValue))
    }

    /// - Parameter inOrder: Whether the stream ended because the archiver wanted that.
    func endStream(inOrder: Bool) {
        received = nil
        connected.record(0)
        stalled.record(0)
        if !inOrder { disconnections.increment() }
    }

    /// Records how long a sync took, on any thread.
    var noteSync: @Sendable (Duration) -> Void {
        { [syncTime] time in syncTime.recordNanoseconds(time.nanoseconds) }
    }

    func note(acknowledgedAfter time: Duration) { acknowledgementTime.recordNanoseconds(time.nanoseconds) }
    func noteGap() { gaps.increment() }
    func noteFinishedSegment() { finishedSegments.increment() }
    func note(isStalled: Bool) { stalled.record(isStalled ? 1 : 0) }
}
