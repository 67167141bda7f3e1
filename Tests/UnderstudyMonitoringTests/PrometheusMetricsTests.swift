import Metrics
import Testing
import UnderstudyWALArchive

@testable import UnderstudyMonitoring

@Suite("Metrics in Prometheus' text format")
struct PrometheusMetricsTests {
    private let metrics = PrometheusMetrics(help: ["jobs_total": "Jobs \\ done\nso far \"today\"."])

    private var lines: [String] { metrics.text.split(separator: "\n").map(String.init) }

    @Test("counters and gauges have their type, their help and their labels, sorted by name")
    func values() {
        Gauge(label: "b_gauge", dimensions: [], factory: metrics).record(1.5)
        let counter = Counter(label: "jobs_total", dimensions: [("kind", "x"), ("of", "y")], factory: metrics)
        counter.increment(by: 3)
        Counter(label: "jobs_total", dimensions: [("kind", "z")], factory: metrics).increment()
        #expect(
            metrics.text == """
                # TYPE b_gauge gauge
                b_gauge 1.5
                # HELP jobs_total Jobs \\\\ done\\nso far "today".
                # TYPE jobs_total counter
                jobs_total{kind="x",of="y"} 3
                jobs_total{kind="z"} 1

                """)
    }

    @Test("label values are escaped, and names hold what Prometheus allows")
    func names() {
        Gauge(label: "9 lives-left", dimensions: [("a:b", "say \"\\\"\n{}é")], factory: metrics).record(1)
        #expect(lines.last == #"__lives_left{a_b="say \"\\\"\n{}é"} 1"#)
    }

    @Test(
        "numbers are written as Prometheus reads them",
        arguments: [
            (Double(Int64.max), "9.223372036854776e+18"), (0, "0"), (-1.25, "-1.25"), (1e-7, "1e-07"), (.nan, "NaN"),
            (.infinity, "+Inf"), (-.infinity, "-Inf"), (123_456_789_012, "123456789012"),
        ])
    func numbers(value: Double, text: String) {
        Gauge(label: "g", dimensions: [], factory: metrics).record(value)
        #expect(lines.last == "g \(text)")
    }

    @Test("a timer is a histogram in seconds, whose buckets add up")
    func histogram() {
        let timer = Timer(label: "t_seconds", dimensions: [("a", "b")], factory: metrics)
        for nanoseconds: Int64 in [50_000, 100_000, 3_000_000, 60_000_000_000] { timer.recordNanoseconds(nanoseconds) }
        #expect(lines.first == "# TYPE t_seconds histogram")
        func bucket(_ bound: String) -> String? {
            lines.first { $0.hasPrefix("t_seconds_bucket{a=\"b\",le=\"\(bound)\"} ") }
        }
        #expect(bucket("0.0001")?.hasSuffix(" 2") == true)
        #expect(bucket("0.0025")?.hasSuffix(" 2") == true)
        #expect(bucket("0.005")?.hasSuffix(" 3") == true)
        #expect(bucket("30")?.hasSuffix(" 3") == true)
        #expect(bucket("+Inf")?.hasSuffix(" 4") == true)
        #expect(lines.suffix(2) == ["t_seconds_sum{a=\"b\"} 60.00315", "t_seconds_count{a=\"b\"} 4"])
    }

    @Test("a metric that is made again goes on, and one that is destroyed is gone")
    func again() {
        let first = Counter(label: "c_total", dimensions: [("a", "1")], factory: metrics)
        first.increment(by: 2)
        Counter(label: "c_total", dimensions: [("a", "1")], factory: metrics).increment(by: 3)
        #expect(lines.last == "c_total{a=\"1\"} 5")
        first.destroy()
        #expect(metrics.text == "")
    }

    @Test("a name stays what it was first")
    func conflict() {
        Counter(label: "x", dimensions: [], factory: metrics).increment()
        Gauge(label: "x", dimensions: [], factory: metrics).record(7)
        Timer(label: "x", dimensions: [], factory: metrics).recordNanoseconds(7)
        #expect(lines == ["# TYPE x counter", "x 1"])
    }

    @Test("every metric of an archiver has a sentence that tells what it is")
    func help() {
        for metric in ArchiverMetric.allCases {
            Gauge(label: metric.rawValue, dimensions: [], factory: metrics).record(1)
        }
        #expect(lines.count { $0.hasPrefix("# HELP understudy_wal_") } == ArchiverMetric.allCases.count)
        #expect(ArchiverMetric.allCases.allSatisfy { $0.help.hasSuffix(".") })
    }
}
