import Foundation
import Logging
import Metrics
import Testing
import UnderstudyTestSupport

@testable import UnderstudyMonitoring

@Suite("The metrics file")
struct MetricsFileTests {
    private struct Handler: LogHandler {
        let lines: Locked<[String]>
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.withLock { $0.append("\(event.level): \(event.message)") }
        }
    }

    @Test("is warned about once while it cannot be written, and again after it could")
    func failure() throws {
        let place = try TestDirectory.make("metrics"), directory = "\(place)/none", path = "\(directory)/a.prom"
        let lines = Locked<[String]>([]), metrics = PrometheusMetrics()
        let gauge = Gauge(label: "g", dimensions: [], factory: metrics)
        let logger = Logger(label: "test") { _ in Handler(lines: lines) }
        let file = MetricsFile(path, metrics: metrics, interval: .milliseconds(1), logger: logger)
        try file.start()
        func warnings() -> Int { lines.withLock { $0.count } }
        func written(_ value: Int) throws {
            gauge.record(Int64(value))
            try eventually("the value \(value)") {
                (try? String(contentsOfFile: path, encoding: .utf8)) == "# TYPE g gauge\ng \(value)\n"
            }
        }
        try eventually("a warning") { warnings() == 1 }
        try TestDirectory.make(at: directory)
        try written(1)
        try written(2)
        #expect(warnings() == 1)
        // Not removed: the file may be written just now.
        try FileManager.default.moveItem(atPath: directory, toPath: "\(place)/away")
        try eventually("another warning") { warnings() == 2 }
        try TestDirectory.make(at: directory)
        try written(3)
        gauge.record(4)
        file.stop()
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "# TYPE g gauge\ng 4\n")
        #expect(FileTree.names(directory) == ["a.prom"])
        #expect(
            lines.withLock { $0.first }?.hasPrefix("warning: could not open directory \"\(directory)\": No such file")
                == true)
    }
}
