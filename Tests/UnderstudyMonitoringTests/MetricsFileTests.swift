import Foundation
import Glibc
import Logging
import Metrics
import Testing
import UnderstudyCore
import UnderstudyPlatform
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
        #expect(FileTree.snapshot(directory).contains { $0.hasPrefix("a.prom 100644 ") })
        #expect(
            lines.withLock { $0.first }?.hasPrefix("warning: could not open directory \"\(directory)\": No such file")
                == true)
    }

    @Test("that does not return is warned about, and holds up no end")
    func hanging() throws {
        let lines = Locked<[String]>([]), isHeld = Monitor(true)
        let logger = Logger(label: "test") { _ in Handler(lines: lines) }
        let file = MetricsFile(
            "/a.prom", interval: .milliseconds(1), longestWait: .milliseconds(1), longestEnd: .milliseconds(1),
            logger: logger
        ) { () throws(FileIOError) in isHeld.wait { $0 ? nil : () } }
        try file.start()
        let warning = "warning: the file system of metrics file \"/a.prom\" does not answer"
        // A slow machine may make a wait of a millisecond of any write: more lines may come than are made to come here.
        func warnings() -> Int { lines.withLock { $0.count { $0 == warning } } }
        try eventually("a warning") { lines.withLock { $0.first } == warning }
        isHeld.update { $0 = false }
        try eventually("its end") { lines.withLock { $0.contains { $0 != warning } } }
        isHeld.update { $0 = true }
        let before = warnings()
        try eventually("another warning") { warnings() > before }
        let atEnd = warnings()
        file.stop()
        #expect(warnings() > atEnd)
        isHeld.update { $0 = false }
    }

    @Test("takes the place of nothing but a file, also if that comes later")
    func otherKinds() throws {
        let place = try TestDirectory.make("metrics"), metrics = PrometheusMetrics()
        try FileManager.default.createSymbolicLink(atPath: "\(place)/link", withDestinationPath: "\(place)/target")
        try TestDirectory.make(at: "\(place)/directory")
        try TestDirectory.write("old", to: "\(place)/file", mode: 0o600)
        #expect(unsafe mkfifo("\(place)/pipe", 0o600) == 0)
        for (path, kind) in [
            ("\(place)/link", "a symbolic link"), ("\(place)/directory", "a directory"),
            ("\(place)/pipe", "neither a file nor a directory"),
        ] {
            let error = #expect(throws: UnderstudyError.self) { try MetricsFile(path, metrics: metrics).start() }
            #expect(error?.code == .options && error?.message.hasSuffix("as metrics file: it is \(kind)") == true)
        }
        let lines = Locked<[String]>([]), logger = Logger(label: "test") { _ in Handler(lines: lines) }
        let file = MetricsFile("\(place)/file", metrics: metrics, interval: .milliseconds(1), logger: logger)
        try file.start()
        try eventually("the file") { (try? String(contentsOfFile: "\(place)/file", encoding: .utf8)) == "" }
        // In its place at once: it may be written just now.
        #expect(unsafe rename("\(place)/pipe", "\(place)/file") == 0)
        try eventually("a warning, or it was too late") {
            lines.withLock { !$0.isEmpty } || FileTree.snapshot(place).contains { $0.hasPrefix("file 100644 ") }
        }
        file.stop()
        #expect(FileTree.names(place).sorted() == ["directory", "file", "link"])
    }
}
