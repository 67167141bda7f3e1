import Metrics
import Synchronization
import UnderstudyPlatform

/// What a series of ``PrometheusMetrics`` holds. Recording takes no lock, but for a histogram's, which is held for some
/// additions.
protocol SeriesValue: AnyObject, Sendable {
    /// Appends its lines.
    ///
    /// - Parameter labels: Each as `name="value"`.
    func write(_ name: String, _ labels: [String], to text: inout String)
}

final class CounterValue: CounterHandler, SeriesValue {
    private let value = Atomic<Int64>(0)

    func increment(by amount: Int64) { value.wrappingAdd(amount, ordering: .relaxed) }
    func reset() { value.store(0, ordering: .relaxed) }

    func write(_ name: String, _ labels: [String], to text: inout String) {
        text += "\(SeriesText.series(name, labels)) \(value.load(ordering: .relaxed))\n"
    }
}

final class GaugeValue: RecorderHandler, SeriesValue {
    /// The bits of a `Double`.
    private let bits = Atomic<UInt64>(0)

    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func write(_ name: String, _ labels: [String], to text: inout String) {
        let value = Double(bitPattern: bits.load(ordering: .relaxed))
        text += "\(SeriesText.series(name, labels)) \(SeriesText.number(value))\n"
    }
}

final class HistogramValue: RecorderHandler, TimerHandler, SeriesValue {
    /// From what a fast disk takes for a sync to what a network or a full one does.
    static let times = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
    ]
    static let decades = [0.001, 0.01, 0.1, 1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]

    private struct State {
        /// The number of values up to each bound and above the one before it; the last is for those above all.
        var counts: [UInt64]
        var sum = 0.0
    }

    private let bounds: [Double]
    private let state: Monitor<State>

    /// - Parameter bounds: Ascending.
    init(bounds: [Double]) {
        self.bounds = bounds
        state = Monitor(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        let place = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.change { state in
            state.counts[place] += 1
            state.sum += value
        }
    }

    func write(_ name: String, _ labels: [String], to text: inout String) {
        let (counts, sum) = state.read { ($0.counts, $0.sum) }
        var total: UInt64 = 0
        for (bound, count) in zip(bounds + [.infinity], counts) {
            total += count
            let labels = labels + ["le=\"\(SeriesText.number(bound))\""]
            text += "\(SeriesText.series("\(name)_bucket", labels)) \(total)\n"
        }
        text += "\(SeriesText.series("\(name)_sum", labels)) \(SeriesText.number(sum))\n"
        text += "\(SeriesText.series("\(name)_count", labels)) \(total)\n"
    }
}

enum SeriesText {
    static func series(_ name: String, _ labels: [String]) -> String {
        labels.isEmpty ? name : "\(name){\(labels.joined(separator: ","))}"
    }

    /// Whole numbers without a fraction, and Prometheus' words for what is no number.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value) { return "\(whole)" }
        return "\(value)"
    }
}
