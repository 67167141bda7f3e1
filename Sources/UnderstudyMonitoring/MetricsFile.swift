public import Logging
public import ServiceLifecycle
public import UnderstudyCore
import UnderstudyPlatform

/// Writes the metrics to a file now and then, for the textfile collector of node_exporter: on machines whose metrics are
/// collected by that, no port is needed.
///
/// ```swift
/// let file = MetricsFile("/var/lib/prometheus/node-exporter/archive1.prom", metrics: metrics, logger: logger)
/// try await ServiceGroup(services: [file, archiver], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
///
/// The file is written beside, under a name that no collector reads, and renamed into place, so that a reader finds a whole
/// one. A file that cannot be written is one warning in the log, until it can be written again; it never stops anything.
///
/// Source: node_exporter, "Textfile Collector".
public final class MetricsFile: Service {
    private let path: String
    private let metrics: PrometheusMetrics
    private let interval: Duration
    private let logger: Logger

    private struct State {
        var isStopping = false
        var isOver = true
    }

    private let state = Monitor(State())

    /// - Parameters:
    ///   - path: A file in a directory that exists; it is replaced. A collector reads names that end in `.prom`.
    ///   - interval: How often it is written; also at the beginning and at the end.
    public init(
        _ path: String, metrics: PrometheusMetrics, interval: Duration = .seconds(15), logger: Logger = .silent
    ) {
        self.path = path
        self.metrics = metrics
        self.interval = interval
        self.logger = logger
    }

    /// Writes the file until the service is shut down gracefully or the task is cancelled, and a last time then.
    ///
    /// Throws an ``UnderstudyError`` only if there is no thread for it.
    public func run() async throws {
        try start()
        try? await gracefulShutdown()
        stop()
    }

    /// Begins to write, on a thread of its own.
    public func start() throws(UnderstudyError) {
        state.change { $0 = State(isOver: false) }
        do throws(FileIOError) {
            _ = try OwnThread("metrics file") { [self] in
                write()
                state.update { $0.isOver = true }
            }
        } catch {
            state.change { $0.isOver = true }
            throw UnderstudyError(error)
        }
    }

    /// Writes a last time, and returns when that is done. It does not wait for long if the file system does not answer.
    public func stop() {
        state.update { $0.isStopping = true }
        _ = state.wait(timeout: Self.longestEnd) { $0.isOver ? true : nil }
    }

    private static let longestEnd = Duration.seconds(3)

    // MARK: - On the thread

    private func write() {
        var hasWarned = false
        var isLast = false
        while true {
            do throws(FileIOError) {
                try replaceFile()
                hasWarned = false
            } catch {
                if !hasWarned {
                    logger.warning(
                        "\(error)",
                        metadata: ["detail": "The metrics file stays as it is until it can be written again."])
                }
                hasWarned = true
            }
            if isLast { return }
            isLast = state.wait(timeout: interval) { $0.isStopping ? true : nil } ?? false
        }
    }

    /// Replaces the file by a new one that every user may read: the collector is another.
    private func replaceFile() throws(FileIOError) {
        let directory = try ConfinedDirectory(path: path.parentPath)
        let name = path.lastPathComponent
        let temporary = RelativePath(".\(name).new"), fullPath = directory.fullPath(temporary)
        // Left by a run that was killed.
        if directory.exists(temporary) { try directory.remove(temporary) }
        let file = try directory.createFile(temporary, mode: 0o644)
        do throws(FileIOError) {
            try unsafe file.write(Array(metrics.text.utf8).span.bytes, at: 0, path: fullPath)
            try file.close(path: fullPath)
            try directory.rename(temporary, to: RelativePath(name))
        } catch {
            try? directory.remove(temporary)
            throw error
        }
    }
}
