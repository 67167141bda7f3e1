import Logging
import Metrics
import Understudy

/// Shows an archiver to others while it works: over HTTP, and in a file with its metrics.
struct ReceiverWatch: Sendable {
    private let plan: ReceivewalPlan.Watch
    private let archiver: WALArchiver
    private let logger: Logger

    init(_ plan: ReceivewalPlan.Watch, _ archiver: WALArchiver, logger: Logger) {
        self.plan = plan
        self.archiver = archiver
        self.logger = logger
    }

    /// Runs `operation`, which is not begun if the address cannot be had.
    func show(
        during operation: nonisolated(nonsending) () async throws(UnderstudyError) -> Void
    ) async throws(UnderstudyError) {
        guard plan != ReceivewalPlan.Watch() else { return try await operation() }
        let metrics = PrometheusMetrics(help: HookMetrics.help)
        #if HTTP
        let archiver = archiver
        let endpoint = plan.listen.map { address in
            ArchiverEndpoint(
                address, archivers: { [archiver] }, metrics: metrics, logger: logger, words: \.commandLineText)
        }
        try await endpoint?.start()
        defer { endpoint?.stop() }
        #endif
        let file = plan.metricsFile.map { MetricsFile($0, metrics: metrics, logger: logger) }
        try file?.start()
        defer { file?.stop() }
        try await withMetricsFactory(metrics, operation)
    }

    /// Whether the program was built with what `--listen` needs.
    static func checkAvailable() throws(UsageError) {
        #if !HTTP
        throw UsageError(
            "this program was built without HTTP, which --listen needs",
            hint:
                "Build it with: swift build -c release --traits HTTP --product understudy. --metrics-file works without."
        )
        #endif
    }
}
