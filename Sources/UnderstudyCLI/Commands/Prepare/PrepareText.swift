import Understudy
import UnderstudyPlatform

/// What `prepare` prints.
enum PrepareText {
    /// The whole plan, for `--dry-run`.
    static func dryRun(_ plan: PrimaryPreparation.Plan) -> String {
        var lines: [String] = []
        for step in plan.steps {
            let obstacle =
                switch step.obstacle {
                case .right(let right): ": takes \(right)"
                case .place(let reason): ": left to you, \(reason)"
                case nil: ""
                }
            lines.append("-- \(PrintedText.line(step.summary))\(PrintedText.line(obstacle))")
            lines.append(trimmed(step.text))
        }
        lines += restart(plan.restartSettings, plan, isPlanned: plan.steps.contains { $0.kind == .restart })
        lines.append(plan.steps.isEmpty ? upToDate : "nothing was changed")
        return lines.joined(separator: "\n")
    }

    /// A line when a step was done, and what did it.
    static func done(_ step: PrimaryPreparation.Step, isDetailed: Bool) -> String {
        let line = "done: \(PrintedText.line(step.summary))"
        guard isDetailed else { return line }
        return ([line] + step.text.lines.map { PrintedText.indent + PrintedText.line(String($0)) })
            .joined(separator: "\n")
    }

    /// What is left to do, and what was kept.
    static func result(_ result: PrimaryPreparation.Result) -> String {
        var lines = result.keptFiles.map { "the old file is kept as \"\(PrintedText.line($0))\"" }
        for step in result.plan.steps {
            guard case .place(let reason) = step.obstacle else { continue }
            lines.append("left to you: \(PrintedText.line(step.summary)): \(PrintedText.line(reason))")
            lines += step.byHand.map { PrintedText.indent + PrintedText.line($0) }
        }
        let wasDone = result.plan.steps.contains { $0.obstacle == nil }
        lines += restart(result.restartSettings, result.plan, isPlanned: false)
        if !wasDone, result.plan.steps.isEmpty { lines.append(upToDate) }
        if wasDone, lines.isEmpty || result.restartSettings.isEmpty { lines.append("the primary is prepared") }
        return lines.joined(separator: "\n")
    }

    private static let upToDate = "nothing to change: the primary is prepared"

    private static func restart(
        _ settings: [String], _ plan: PrimaryPreparation.Plan, isPlanned: Bool
    ) -> [String] {
        guard !settings.isEmpty, !isPlanned else { return [] }
        let names = settings.map { PrintedText.line($0) }.joined(separator: ", ")
        let lines = ["these settings come into effect when the primary is restarted: \(names)"]
        return lines
            + (plan.restartCommand.map { ["restart it with:", PrintedText.indent + PrintedText.line($0)] } ?? [])
    }

    private static func trimmed(_ text: String) -> String {
        text.hasSuffix("\n") ? String(text.dropLast()) : text
    }
}
