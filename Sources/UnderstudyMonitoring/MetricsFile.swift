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
    private let interval: Duration
    private let logger: Logger
    private let longestWait: Duration
    private let longestEnd: Duration
    private let replace: @Sendable () throws(FileIOError) -> Void

    private struct State {
        var isStopping = false
        var isOver = true
        /// Of the write that was under way.
        var outcome: Result<Void, FileIOError>?
    }

    private let state = Monitor(State())

    /// - Parameters:
    ///   - path: A file in a directory that exists; it is replaced. A collector reads names that end in `.prom`.
    ///   - interval: How often it is written; also at the beginning and at the end.
    public convenience init(
        _ path: String, metrics: PrometheusMetrics, interval: Duration = .seconds(15), logger: Logger = .silent
    ) {
        self.init(path, interval: interval, logger: logger) { () throws(FileIOError) in
            // The collector is another user.
            try ConfinedDirectory(path: path.parentPath).replaceApart(
                RelativePath(path.lastPathComponent), by: Array(metrics.text.utf8),
                temporary: RelativePath(".\(path.lastPathComponent).new"), mode: 0o644)
        }
    }

    /// - Parameters:
    ///   - longestWait: A write that takes longer is told.
    ///   - longestEnd: How long to wait for one after a stop.
    ///   - replace: Replaces the file.
    init(
        _ path: String, interval: Duration, longestWait: Duration = .seconds(10), longestEnd: Duration = .seconds(3),
        logger: Logger, replace: @escaping @Sendable () throws(FileIOError) -> Void
    ) {
        self.path = path
        self.interval = interval
        self.longestWait = longestWait
        self.longestEnd = longestEnd
        self.logger = logger
        self.replace = replace
    }

    /// Writes the file until the service is shut down gracefully or the task is cancelled, and a last time then.
    ///
    /// Throws what ``start()`` throws.
    public func run() async throws {
        try start()
        try? await gracefulShutdown()
        stop()
    }

    /// Begins to write, on a thread of its own.
    ///
    /// Throws an error with the code ``UnderstudyError/Code/options`` if what has the file's name is no regular file, and another
    /// one if there is no thread for it.
    public func start() throws(UnderstudyError) {
        try checkTarget()
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

    /// Writes a last time, and returns when that is done, or after some seconds if the file system does not answer.
    public func stop() {
        state.update { $0.isStopping = true }
        // The write that is under way, and the last one.
        _ = state.wait(timeout: longestEnd * 2 + .seconds(1)) { $0.isOver ? true : nil }
    }

    /// It would be replaced by a file: a device node or a pipe would be gone, and whoever uses it would not know.
    private func checkTarget() throws(UnderstudyError) {
        // A directory that is not there may come.
        guard let kind = try? ConfinedDirectory(path: path.parentPath).kind(of: RelativePath(path.lastPathComponent)),
            kind != .file
        else { return }
        throw UnderstudyError(
            .options, "could not use \"\(path)\" as metrics file: it is \(kind.words)",
            hint: "Name a file that does not exist yet, or one that was written as metrics file before.")
    }

    // MARK: - On the thread

    private func write() {
        var hasWarned = false
        var isLast = false
        while true {
            guard let result = writeOnce() else { return }
            if case .failure(let error) = result {
                if !hasWarned { warn("\(error)") }
                hasWarned = true
            } else {
                hasWarned = false
            }
            if isLast { return }
            isLast = state.wait(timeout: interval) { $0.isStopping ? true : nil } ?? false
        }
    }

    private enum Step {
        case done(Result<Void, FileIOError>)
        case stopping
    }

    /// Has another thread write, and says so if that takes long.
    ///
    /// - Returns: nil if it takes too long for one who is to stop.
    private func writeOnce() -> Result<Void, FileIOError>? {
        do throws(FileIOError) {
            _ = try OwnThread("metrics write") { [self] in
                let outcome = Result { () throws(FileIOError) in try replace() }
                state.update { $0.outcome = outcome }
            }
        } catch { return .failure(error) }
        var hasTold = false
        while true {
            let stops = state.read { $0.isStopping }
            let step = state.wait(timeout: stops ? longestEnd : hasTold ? nil : longestWait) { state -> Step? in
                if let outcome = state.outcome.take() { return .done(outcome) }
                return state.isStopping && !stops ? .stopping : nil
            }
            switch step {
            case .done(let outcome):
                if hasTold { logger.notice("metrics file \"\(path)\" could be written at last") }
                return outcome
            case .stopping: continue
            case nil:
                warn("the file system of metrics file \"\(path)\" does not answer")
                if stops { return nil }
                hasTold = true
            }
        }
    }

    private func warn(_ message: String) {
        logger.warning(
            "\(message)", metadata: ["detail": "The metrics file stays as it is until it can be written again."])
    }
}

extension ConfinedDirectory.Entry.Kind {
    fileprivate var words: String {
        switch self {
        case .file: "a file"
        case .directory: "a directory"
        case .symbolicLink: "a symbolic link"
        case .other: "neither a file nor a directory"
        }
    }
}
