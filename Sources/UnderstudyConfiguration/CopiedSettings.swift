/// The settings that a copy of a data directory contains from its source.
package struct CopiedSettings: Sendable, Equatable {
    package struct Setting: Hashable, Sendable {
        package var value: String
        /// The file that contains it, for messages.
        package var file: String

        package init(value: String, file: String) {
            self.value = value
            self.file = file
        }
    }

    private var settings: [String: Setting] = [:]
    /// Whether all files that the server will read were read. If not, a setting that is not here may be set there.
    package var isComplete = true

    package init() {}

    /// If a name is repeated, the last value wins, as in the server.
    package mutating func set(_ name: String, _ value: String, file: String) {
        settings[name] = Setting(value: value, file: file)
    }

    package subscript(name: String) -> Setting? { settings[name] }

    // MARK: - Effects on a standby

    /// With any of these, a standby stops at the given position, time or transaction, and then pauses, shuts down or is
    /// promoted.
    package static let recoveryTargets = [
        "recovery_target", "recovery_target_name", "recovery_target_time", "recovery_target_xid", "recovery_target_lsn",
    ]

    /// The recovery targets that are set (servers from 12; before, they are in recovery.conf).
    package func recoveryTargets(serverVersion: Int) -> [String] {
        guard serverVersion >= 120_000 else { return [] }
        return Self.recoveryTargets.filter { settings[$0].map { !$0.value.isEmpty } ?? false }
    }

    /// The value of recovery_target_timeline, if it is not `latest`.
    package func otherTimeline(serverVersion: Int) -> Setting? {
        guard serverVersion >= 120_000, let setting = settings["recovery_target_timeline"],
            setting.value.lowercased() != "latest"
        else { return nil }
        return setting
    }

    /// Messages about copied settings that are overridden, one line each. hot_standby is among the findings instead.
    package func changes(serverVersion: Int) -> [String] {
        var lines: [String] = []
        let targets = recoveryTargets(serverVersion: serverVersion)
        if !targets.isEmpty {
            lines.append("recovery target that came along is taken back: \(targets.joined(separator: ", "))")
        }
        if otherTimeline(serverVersion: serverVersion) != nil {
            lines.append("recovery_target_timeline that came along is replaced by latest")
        }
        return lines
    }

    /// Whether hot_standby is off, so a standby answers no queries.
    package var forbidsQueries: Bool { settings["hot_standby"].map { Self.isOff($0.value) } ?? false }

    /// Warnings for the user before a standby starts with these settings. They do not contain values, since a command
    /// may hold a password.
    ///
    /// - Parameters:
    ///   - areOverridden: Whether the recovery targets, the timeline and hot_standby are set again.
    ///   - directory: The copy's path, for a hint.
    ///   - replaced: Settings that are set again for the standby.
    package func findings(
        serverVersion: Int, areOverridden: Bool, directory: String, replaced: Set<String> = []
    ) -> [Finding] {
        var findings: [Finding] = []
        func tell(_ name: String, _ effect: String, hint: String? = nil) {
            guard let setting = settings[name] else { return }
            findings.append(Finding("\"\(name)\" came along in \"\(setting.file)\": \(effect)", hint: hint))
        }
        if !areOverridden {
            for name in recoveryTargets(serverVersion: serverVersion) {
                tell(
                    name, "a standby stops there, and pauses or is promoted",
                    hint: findings.isEmpty
                        ? "Before a start as a standby, take back all recovery targets: \(Self.resetCommand(directory))"
                        : nil)
            }
            if otherTimeline(serverVersion: serverVersion) != nil {
                tell("recovery_target_timeline", "a standby does not follow its primary to a newer timeline")
            }
        }
        if forbidsQueries {
            tell(
                "hot_standby",
                areOverridden
                    ? "it is off there, and set to on for this standby" : "it is off, so a standby answers no queries")
        }
        for rule in Self.rules where rule.versions.contains(serverVersion) {
            if let setting = settings[rule.name], !replaced.contains(rule.name), rule.counts(setting.value) {
                tell(rule.name, rule.effect)
            }
        }
        return findings
    }

    /// A shell command that resets all recovery targets, wherever they are set. Resetting only some of them has no
    /// effect.
    private static func resetCommand(_ directory: String) -> String {
        let names = recoveryTargets.map { "'\($0.dropFirst("recovery_target".count))'" }.joined(separator: " ")
        let path = ShellText.pasted("\(directory)/postgresql.auto.conf")
        return #"printf "recovery_target%s = ''\n" \#(names) >> \#(path)"#
    }

    private struct Rule: Sendable {
        var name: String
        var versions: Range<Int>
        var counts: @Sendable (String) -> Bool = { !$0.isEmpty }
        var effect: String
    }

    private static let since12 = 120_000..<Int.max

    private static let rules = [
        Rule(
            name: "recovery_min_apply_delay", versions: since12,
            counts: { $0.contains { ("1"..."9").contains($0) } && !$0.hasPrefix("-") },
            effect: "the standby replays WAL only that long after it was written"),
        Rule(
            name: "restore_command", versions: since12,
            effect: "the standby runs that command for WAL that its primary does not send"),
        Rule(
            name: "archive_cleanup_command", versions: since12,
            effect: "the standby runs that command, which may remove WAL from an archive that others need"),
        Rule(
            name: "recovery_end_command", versions: since12,
            effect: "the standby runs that command when it is promoted"),
        Rule(
            name: "promote_trigger_file", versions: 120_000..<160_000,
            effect: "the standby is promoted as soon as that file exists"),
        Rule(
            name: "archive_mode", versions: 90_500..<Int.max, counts: { $0.lowercased() == "always" },
            effect: "it is always, so the standby archives WAL too, perhaps to where its primary does"),
    ]

    /// Whether the server reads a value as false: the words for false, and their unambiguous prefixes.
    private static func isOff(_ value: String) -> Bool {
        let word = value.lowercased()
        if word == "0" { return true }
        return ["false", "no"].contains { !word.isEmpty && $0.hasPrefix(word) }
            || (word.count > 1 && "off".hasPrefix(word))
    }
}
