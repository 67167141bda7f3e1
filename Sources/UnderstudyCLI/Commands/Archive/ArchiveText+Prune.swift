import Understudy

/// What `archive prune` says.
extension ArchiveText {
    static func prune(
        _ plan: ArchivePruning, _ outcome: ArchivePruning.Outcome?, namesFiles: Bool
    ) -> String {
        var lines = namesFiles ? plan.removed.map { name($0.name) + ($0.isLink ? " (a link)" : "") } : []
        lines.append(removal(plan, outcome))
        let reason = plan.decidedBy.map { ", where a restore of backup \"\(name($0.name))\" begins" } ?? ""
        lines.append(
            "kept from \(plan.limit) on\(reason): \(count(plan.kept, "segment file")), \(Quantity.bytes(plan.keptBytes))"
        )
        for reason in ArchivePruning.Spared.Reason.allCases {
            let files = plan.spared.filter { $0.reason == reason }.map(\.file)
            if !files.isEmpty { lines.append("kept though older, \(text(reason, files)): \(names(files))") }
        }
        if outcome == nil, !plan.removed.isEmpty { lines.append("nothing was removed: add --apply to remove it") }
        return lines.joined(separator: "\n")
    }

    private static func removal(_ plan: ArchivePruning, _ outcome: ArchivePruning.Outcome?) -> String {
        guard let first = plan.removed.first else { return "nothing to remove" }
        if let outcome {
            return "removed \(count(outcome.removed, "file")), \(Quantity.bytes(outcome.bytes))\(links(outcome.links))"
        }
        let range = plan.removed.count == 1 ? name(first.name) : "\(name(first.name)) to \(name(last(plan)))"
        return
            "would remove \(count(plan.removed.count, "file")), \(Quantity.bytes(plan.bytes))\(links(plan.links)): \(range)"
    }

    /// Says that of a link no more than the link goes.
    private static func links(_ count: Int) -> String {
        count == 0 ? "" : ", of them \(self.count(count, "symbolic link")), whose files stay"
    }

    /// The last segment; notes and backup history files come behind.
    private static func last(_ plan: ArchivePruning) -> String {
        let isNote = { (name: String) in name.hasSuffix(".missing") || name.contains(".backup") }
        return (plan.removed.last { !isNote($0.name) } ?? plan.removed.last)?.name ?? ""
    }

    private static func text(_ reason: ArchivePruning.Spared.Reason, _ files: [ArchivedFile]) -> String {
        switch reason {
        case .newest: "as the newest complete segment"
        case .partial: "as incomplete segments"
        case .young: "by their age"
        case .opaque: "from the first file on that is not readable here (\(suffixes(files)))"
        case .brokenLink: "as links that lead nowhere"
        }
    }

    /// What lets them go.
    private static func suffixes(_ files: [ArchivedFile]) -> String {
        let suffixes = Set(files.compactMap { OpaqueFile($0) }.filter { $0.kind == .segment }.map(\.suffix)).sorted()
        let options = suffixes.map { "--\(ArchiveOptions.suffix.name)=\(name($0))" }.joined(separator: " ")
        return "\(options) lets \(suffixes.count == 1 ? "it" : "them") go"
    }

    private static func names(_ files: [ArchivedFile]) -> String {
        guard files.count > 3, let first = files.first, let last = files.last else {
            return files.map { name($0.name) }.joined(separator: ", ")
        }
        return "\(count(files.count, "file")), \(name(first.name)) to \(name(last.name))"
    }

    /// What a plan passes over, and what it does not achieve.
    static func warnings(_ plan: ArchivePruning) -> [String] {
        plan.gaps.map { gap in
            "removal goes past a gap: WAL from \(at(gap.start)) to \(at(gap.end)) is missing"
        } + plan.notRestorable.map { "backup \(restorable($0))" }
    }
}
