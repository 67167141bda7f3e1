import Logging
import Metrics
import Understudy
import UnderstudyPlatform

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

    /// In the archive the file could take the place of a segment, and whoever restores or prunes would meet it.
    static func checkFile(_ path: String, outside directory: String) throws(UsageError) {
        guard let archive = try? ConfinedDirectory(path: directory).identity() else { return }
        var place = path.parentPath
        // A directory that is not there yet would be below one that is.
        while (try? ConfinedDirectory(path: place)) == nil, place != place.parentPath, place != "." {
            place = place.parentPath
        }
        var before: FileIdentity?
        while let found = try? ConfinedDirectory(path: place).identity(), found != before {
            if found == archive {
                throw UsageError(
                    "metrics file \"\(path)\" is in the archive \"\(directory)\"",
                    hint: "Name a file outside of it, in the directory that node_exporter reads.")
            }
            (before, place) = (found, "\(place)/..")
        }
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
