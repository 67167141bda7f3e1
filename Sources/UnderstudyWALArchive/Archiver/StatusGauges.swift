import Metrics
import UnderstudyPlatform
import UnderstudyWAL

/// The gauges that say what an archiver's status says, on whichever thread that changes: what is scraped is what the status
/// shows.
final class StatusGauges: Sendable {
    struct Figures: Equatable {
        var server = LSN.invalid
        /// nil if it is not known.
        var lag: UInt64?
        /// nil if the archive was not looked at.
        var gaps: UInt64?
    }

    private struct State {
        var last = Figures()
        var server, lag, gaps, silence: LateGauge
    }

    private let state: Monitor<State>
    private let storageWait, receiptWait: Gauge

    /// - Parameter name: The value of the dimension.
    init(_ name: String, factory: any MetricsFactory) {
        let dimensions = [(ArchiverMetrics.dimension, name)]
        func gauge(_ metric: ArchiverMetric) -> Gauge {
            Gauge(label: metric.rawValue, dimensions: dimensions, factory: factory)
        }
        func late(_ metric: ArchiverMetric) -> LateGauge { LateGauge { gauge(metric) } }
        state = Monitor(
            State(server: late(.serverLSN), lag: late(.lagBytes), gaps: late(.archiveGaps), silence: late(.silence)))
        storageWait = gauge(.storageWait)
        receiptWait = gauge(.receiptWait)
    }

    /// - Parameter figures: Read with the lock held: of two threads that record, the last one records the newest.
    func record(_ figures: () -> Figures) {
        state.change { state in
            let figures = figures()
            guard figures != state.last else { return }
            if figures.server != state.last.server { state.server.record(figures.server) }
            if let lag = figures.lag, lag != state.last.lag { state.lag.record(lag) }
            if let gaps = figures.gaps, gaps != state.last.gaps { state.gaps.record(gaps) }
            state.last = figures
        }
    }

    func record(waits status: WALArchiver.Status) {
        storageWait.record(Self.seconds(status.storageWait ?? .zero))
        receiptWait.record(Self.seconds(status.receiptWait ?? .zero))
        guard let silence = status.silence else { return }
        state.change { $0.silence.record(Self.seconds(silence)) }
    }

    private static func seconds(_ time: Duration) -> Double { Double(time.nanoseconds) / 1e9 }
}

/// A gauge that is made with its first value: a backend may report 0 for one that has none yet.
struct LateGauge {
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
        // A gauge traps on values that do not fit Int64, and a server may report any position.
        made().record(Int64(clamping: value))
    }

    mutating func record(_ value: Double) { made().record(value) }

    private mutating func made() -> Gauge {
        let gauge = gauge ?? make()
        self.gauge = gauge
        return gauge
    }
}
