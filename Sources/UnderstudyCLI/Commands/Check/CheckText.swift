import Understudy

/// What `check` prints for people: a table on a terminal, and elsewhere a line for each finding.
enum CheckText {
    static func text(_ report: ReplicationCheck.Report, asTable: Bool) -> String {
        var lines: [String] = []
        for role in [ReplicationCheck.Role.primary, .standby] {
            let findings = report.findings.filter { $0.server == role }
            let server = role == .primary ? report.primary : report.standby
            guard !findings.isEmpty || server != nil else { continue }
            if asTable {
                if !lines.isEmpty { lines.append("") }
                lines.append(title(role, server))
                lines += table(findings)
            } else {
                lines += findings.map(line)
            }
        }
        if asTable, !lines.isEmpty { lines.append("") }
        return (lines + [verdict(report)]).joined(separator: "\n")
    }

    /// `all is well`, or how many findings there are of each level.
    static func verdict(_ report: ReplicationCheck.Report) -> String {
        let counts = [
            (ReplicationCheck.Level.error, "error", "errors"), (.warning, "warning", "warnings"),
            (.unknown, "unknown", "unknown"),
        ].compactMap { level, one, many -> String? in
            let count = report.findings.count { $0.level == level }
            return count == 0 ? nil : "\(count) \(count == 1 ? one : many)"
        }
        return counts.isEmpty ? "all is well" : counts.joined(separator: ", ")
    }

    // MARK: - On a terminal

    private static func title(_ role: ReplicationCheck.Role, _ server: ReplicationCheck.Server?) -> String {
        guard let server else { return role.rawValue }
        var parts = ["\(role.rawValue) \(server.place)", "version \(number(server.version))"]
        if let system = server.systemIdentifier { parts.append("system \(system)") }
        if let timeline = server.timeline { parts.append("timeline \(timeline)") }
        return PrintedText.line(parts.joined(separator: ", "))
    }

    /// 150018 as `15.18`, 90625 as `9.6.25`.
    private static func number(_ version: Int) -> String {
        version >= 100_000
            ? "\(version / 10000).\(version % 10000)" : "\(version / 10000).\(version / 100 % 100).\(version % 100)"
    }

    /// The rows, and beneath each that is not well what is wrong, and what cures it.
    private static func table(_ findings: [ReplicationCheck.Finding]) -> [String] {
        var table = TextTable(numbers: [])
        for finding in findings {
            table.add([finding.level.rawValue, label(finding), PrintedText.line(found(finding))])
        }
        return zip(table.lines, findings).flatMap { line, finding in
            [line] + remarks(finding).map { "           \($0)" }
        }
    }

    private static func remarks(_ finding: ReplicationCheck.Finding) -> [String] {
        // Not broken: a line of it may be pasted.
        [finding.message, finding.cure?.commandLineText].compactMap {
            $0.map { PrintedText.line(PrintedText.words($0)) }
        }
    }

    // MARK: - Elsewhere

    private static func line(_ finding: ReplicationCheck.Finding) -> String {
        var text = "\(finding.server.rawValue): \(finding.level.rawValue): \(label(finding)): \(found(finding))"
        if let message = finding.message { text += "; \(message)" }
        if let cure = finding.cure?.commandLineText { text += "; \(cure)" }
        return PrintedText.line(PrintedText.words(text))
    }

    // MARK: - Parts

    private static func label(_ finding: ReplicationCheck.Finding) -> String {
        PrintedText.line(finding.object.map { "\(finding.name) \($0)" } ?? finding.name)
    }

    /// What is wanted, only where it is not there.
    private static func found(_ finding: ReplicationCheck.Finding) -> String {
        guard finding.level != .ok, let wanted = finding.wanted else { return finding.found }
        return "\(finding.found) (wanted: \(wanted))"
    }
}
