import Metrics
import Understudy

/// What is counted of the command of `--on-segment`. Their names are documented, and do not change.
struct HookMetrics: Sendable {
    let failures, skipped: Counter

    private static let failuresName = "understudy_hook_failures_total"
    private static let skippedName = "understudy_hook_skipped_files_total"

    /// What each says, in one sentence.
    static let help = [
        failuresName: "Runs of the command for finished segments that failed.",
        skippedName: "Files for which the command for finished segments was not run.",
    ]

    /// - Parameter archiver: The value of the dimension.
    init(_ archiver: String) {
        let dimensions = [("archiver", archiver)]
        failures = Counter(label: Self.failuresName, dimensions: dimensions)
        skipped = Counter(label: Self.skippedName, dimensions: dimensions)
    }
}
