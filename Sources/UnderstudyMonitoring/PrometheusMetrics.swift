public import Metrics
import UnderstudyPlatform
import UnderstudyWALArchive

/// Keeps the values of a program's metrics, and writes them in the text format of Prometheus: a backend of swift-metrics
/// without a library of its own.
///
/// ```swift
/// let metrics = PrometheusMetrics()
/// MetricsSystem.bootstrap(metrics)
/// print(metrics.text)
/// ```
///
/// A counter is a counter, a gauge or meter a gauge, a timer a histogram in seconds, and any other recorder a histogram.
/// Dimensions are labels. Characters that Prometheus does not allow in a name become `_`. Two metrics of one label and the
/// same dimensions are one, and keep their value from one run of an archiver to the next.
///
/// Source: Prometheus documentation, "Exposition formats".
public final class PrometheusMetrics: MetricsFactory {
    enum Kind: String {
        case counter, gauge, histogram
    }

    /// All series of a name.
    struct Family {
        var kind: Kind
        /// In the order in which they were made.
        var series: [(labels: [Label], value: any SeriesValue)] = []
    }

    struct Label: Hashable {
        var name: String
        var value: String
    }

    private let families = Monitor<[String: Family]>([:])
    private let help: [String: String]

    /// - Parameter help: What metrics of the program's own say, by their names. Understudy's have it.
    public init(help: [String: String] = [:]) {
        let own = ArchiverMetric.allCases.map { ($0.rawValue, $0.help) }
        self.help = help.merging(own) { $1 }
    }

    /// All metrics that have a value, sorted by name. Its media type is ``mediaType``.
    public var text: String {
        var text = ""
        for (name, family) in families.read({ $0 }).sorted(by: { $0.key < $1.key }) where !family.series.isEmpty {
            if let help = help[name] { text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n" }
            text += "# TYPE \(name) \(family.kind.rawValue)\n"
            for (labels, value) in family.series {
                let labels = labels.map { "\($0.name)=\"\(Self.escaped($0.value, quotes: true))\"" }
                value.write(name, labels, to: &text)
            }
        }
        return text
    }

    /// The Content-Type of ``text``.
    public static let mediaType = "text/plain; version=0.0.4; charset=utf-8"

    // MARK: - The factory

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter) { CounterValue() }
    }

    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        if aggregate { return series(label, dimensions, .histogram) { HistogramValue(bounds: HistogramValue.decades) } }
        return series(label, dimensions, .gauge) { GaugeValue() }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, .histogram) { HistogramValue(bounds: HistogramValue.times) }
    }

    public func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

    /// The series of this name and these dimensions: a new one, or the one that is there. A name that is another kind of
    /// metric already keeps that kind; the value made then is written nowhere.
    private func series<Value: SeriesValue>(
        _ label: String, _ dimensions: [(String, String)], _ kind: Kind, _ make: () -> Value
    ) -> Value {
        let name = Self.name(label, mayHaveColon: true)
        let labels = dimensions.map { Label(name: Self.name($0.0, mayHaveColon: false), value: $0.1) }
        return families.change { families in
            var family = families[name] ?? Family(kind: kind)
            if let found = family.series.first(where: { $0.labels == labels })?.value as? Value { return found }
            let value = make()
            guard family.kind == kind, !family.series.contains(where: { $0.labels == labels }) else { return value }
            family.series.append((labels, value))
            families[name] = family
            return value
        }
    }

    private func remove(_ handler: AnyObject) {
        families.change { families in
            for name in Array(families.keys) {
                families[name]?.series.removeAll { $0.value === handler }
            }
        }
    }

    // MARK: - Text

    /// A name as Prometheus has them: `[a-zA-Z_:][a-zA-Z0-9_:]*`, in labels without colons.
    private static func name(_ text: String, mayHaveColon: Bool) -> String {
        var name = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "_": name.unicodeScalars.append(scalar)
            case ":" where mayHaveColon: name.unicodeScalars.append(scalar)
            case "0"..."9" where !name.isEmpty: name.unicodeScalars.append(scalar)
            default: name += "_"
            }
        }
        return name.isEmpty ? "_" : name
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
