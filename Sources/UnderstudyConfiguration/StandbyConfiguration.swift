/// The settings that make a copy of a data directory a standby of its primary, for any server version.
///
/// ```swift
/// let configuration = StandbyConfiguration(
///     serverVersion: 150018, primaryConnInfo: "host=10.0.0.1 user=r", slotName: "standby1")
/// for edit in configuration.edits {
///     print(edit.name, edit.content)
/// }
/// ```
///
/// Before 12 the recovery settings are a file `recovery.conf`. From 12 they are lines of `postgresql.auto.conf`, which
/// the server reads last, and an empty file `standby.signal`. The copy contains the primary's `postgresql.auto.conf`;
/// these settings are appended to it and win.
///
/// Writes nothing: the caller applies the edits and makes them durable.
///
/// Source: PostgreSQL manual, "Setting Up a Standby Server".
public struct StandbyConfiguration: Sendable, Equatable {
    /// A setting without a property of its own.
    public struct Setting: Sendable, Hashable, Codable {
        public var name: String
        /// The value without quotes.
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// A change to one file of the data directory.
    public struct FileEdit: Sendable, Equatable {
        /// What happens to the file.
        @nonexhaustive
        public enum Kind: Sendable, Equatable {
            /// Creates the file, replacing an existing one.
            case create
            /// Appends the content; creates the file if it is absent.
            case append
            /// Appends the content. If the file is absent, the server's configuration is elsewhere, and the user must
            /// add the lines there.
            case appendIfPresent
        }

        /// The file's name in the data directory.
        public var name: String
        public var content: String
        public var kind: Kind

        public init(name: String, content: String, kind: Kind) {
            self.name = name
            self.content = content
            self.kind = kind
        }
    }

    /// The server's version, as in `server_version_num`: 150018.
    public var serverVersion: Int
    /// The connection string for primary_conninfo, used unchanged. It may hold a password.
    public var primaryConnInfo: String
    /// The replication slot on the primary. Servers before 9.4 have no slots; the name is then left out.
    public var slotName: String?
    /// The port that the standby listens on; nil keeps the primary's.
    public var port: Int?
    /// Whether the standby answers queries during recovery.
    public var hotStandby: Bool
    /// Whether to reset the name of a slot that the copy contains, if there is none to set (servers from 12).
    public var resetsSlotName = true
    /// Whether to reset recovery targets that the copy contains (servers from 12; before, they are in recovery.conf,
    /// which is replaced). With a recovery target, a standby stops there, and pauses or promotes itself.
    public var resetsRecoveryTarget = true
    /// Whether the standby follows its primary to newer timelines, whatever the copied files say.
    public var followsLatestTimeline = true
    /// How the standby gets WAL that its primary has removed: restore_command, which a shell runs; nil for none.
    public var restoreCommand: String?
    /// More settings for the standby, written after all others. Before 12, those that the server reads in recovery.conf
    /// go there.
    public var settings: [Setting]

    public init(
        serverVersion: Int, primaryConnInfo: String, slotName: String? = nil, port: Int? = nil, hotStandby: Bool = true,
        settings: [Setting] = []
    ) {
        self.serverVersion = serverVersion
        self.primaryConnInfo = primaryConnInfo
        self.slotName = slotName
        self.port = port
        self.hotStandby = hotStandby
        self.settings = settings
    }

    /// The value of restore_command that has `understudy restore-wal` hand out the files of WAL archives.
    ///
    /// - Parameters:
    ///   - archives: Absolute paths; the first that has a file counts.
    ///   - program: The path of the program on the standby's machine, or its name if the server finds it in its PATH.
    public static func restoreCommand(archives: [String], program: String = "understudy") -> String {
        // The server replaces %f, %p and %r, and %% by one percent sign.
        func word(_ text: String) -> String { ShellText.word(text).replacing("%", with: "%%") }
        let directories = archives.map { "-D \(word($0)) " }.joined()
        return "\(word(program)) restore-wal \(directories)%f \"%p\""
    }

    /// The settings that servers before 12 accept in recovery.conf, and nowhere else.
    ///
    /// Source: recovery.conf.sample of those versions.
    private static let onlyInRecoveryConf: Set<String> = [
        "restore_command", "archive_cleanup_command", "recovery_end_command", "recovery_target", "recovery_target_name",
        "recovery_target_time", "recovery_target_xid", "recovery_target_lsn", "recovery_target_inclusive",
        "recovery_target_timeline", "recovery_target_action", "pause_at_recovery_target", "standby_mode",
        "primary_conninfo", "primary_slot_name", "trigger_file", "recovery_min_apply_delay",
    ]

    /// The changes, in the order in which to make them. The file that makes the server a standby comes last, so that a
    /// copy never becomes a standby without a primary.
    public var edits: [FileEdit] {
        let facts = ConfigurationFacts(serverVersion: serverVersion)
        var edits: [FileEdit] = []
        var lines = facts.usesRecoveryConf ? "" : recoveryLines(facts)
        lines += serverLines(facts)
        if !lines.isEmpty {
            // The last line of the file may lack its newline.
            let content = "\n" + lines
            switch facts.autoConf {
            case .read: edits.append(FileEdit(name: "postgresql.auto.conf", content: content, kind: .append))
            case .none: edits.append(FileEdit(name: "postgresql.conf", content: content, kind: .appendIfPresent))
            }
        }
        if facts.usesRecoveryConf {
            let content = ConfigurationText.line("standby_mode", "on") + recoveryLines(facts)
            edits.append(FileEdit(name: "recovery.conf", content: content, kind: .create))
        } else {
            edits.append(FileEdit(name: "standby.signal", content: "", kind: .create))
        }
        return edits
    }

    private func recoveryLines(_ facts: ConfigurationFacts) -> String {
        var lines = ConfigurationText.line("primary_conninfo", primaryConnInfo)
        if facts.hasSlots {
            if let slotName {
                lines += ConfigurationText.line("primary_slot_name", slotName)
            } else if !facts.usesRecoveryConf, resetsSlotName {
                // A primary that was once a standby still has its own slot's name in the file.
                lines += ConfigurationText.line("primary_slot_name", "")
            }
        }
        if followsLatestTimeline {
            lines += ConfigurationText.line("recovery_target_timeline", "latest")
        }
        if resetsRecoveryTarget && !facts.usesRecoveryConf {
            // Reset all of them or none: an empty value overrides another target only together with the others.
            for name in CopiedSettings.recoveryTargets { lines += ConfigurationText.line(name, "") }
        }
        if let restoreCommand { lines += ConfigurationText.line("restore_command", restoreCommand) }
        if facts.usesRecoveryConf { lines += settingLines { Self.onlyInRecoveryConf.contains($0) } }
        return lines
    }

    private func settingLines(where belongs: (String) -> Bool) -> String {
        settings.filter { belongs($0.name.lowercased()) }.map { ConfigurationText.line($0.name, $0.value) }.joined()
    }

    private func serverLines(_ facts: ConfigurationFacts) -> String {
        var lines = ""
        if hotStandby { lines += ConfigurationText.line("hot_standby", "on") }
        if let port { lines += ConfigurationText.line("port", String(port)) }
        return lines + settingLines { !facts.usesRecoveryConf || !Self.onlyInRecoveryConf.contains($0) }
    }
}
