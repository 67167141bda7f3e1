import Metrics
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Records the metrics of an archiver for swift-metrics: made once for a run, so that counts go on over all its
/// connections. Used only by the archiver's thread, but for ``noteSync``.
final class ArchiverMetrics {
    /// Tells the archivers of one process apart.
    static let dimension = "archiver"

    private let receivedBytes, finishedSegments, disconnections, gaps: Counter
    private let connected, stalled: Gauge
    private let syncTime, acknowledgementTime: Timer
    private var receivedLSN, flushLSN, serverLSN, lagBytes, timeline: LateGauge
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
        serverLSN = late(.serverLSN)
        lagBytes = late(.lagBytes)
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
        serverLSN.record(positions.server)
        // The server may have been told nothing on this connection.
        guard positions.acknowledged > .invalid else { return }
        flushLSN.record(positions.acknowledged)
        lagBytes.record(positions.acknowledged.distance(to: positions.server) ?? 0)
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

/// A gauge that is made with its first value: a backend may report 0 for one that has none yet.
private struct LateGauge {
    let make: () -> Gauge
    private var gauge: Gauge?

    init(make: @escaping () -> Gauge) {
        self.make = make
    }

    /// Records a position, if it is known.
    mutating func record(_ position: LSN) {
        if position != .invalid { record(position.rawValue) }
    }

    mutating func record(_ value: UInt64) {
        let gauge = gauge ?? make()
        self.gauge = gauge
        // A gauge traps on values that do not fit Int64, and a server may report any position.
        gauge.record(Int64(clamping: value))
    }
}
