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
/// ``edits`` are for a copy that was just made; ``changes(to:)`` is for a directory that may have been configured before.
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

    /// What a server does when it starts with these settings.
    @nonexhaustive
    public enum Mode: String, Sendable, CaseIterable {
        /// It follows a primary, or an archive, until it is promoted: standby.signal, or standby_mode before 12.
        case standby
        /// It replays an archive to the target or to its end, and becomes a primary: recovery.signal, or a recovery.conf
        /// without standby_mode.
        case recovery
    }

    /// The server's version, as in `server_version_num`: 150018.
    public var serverVersion: Int
    public var mode = Mode.standby
    /// The connection string for primary_conninfo, used unchanged. It may hold a password. nil for none to set.
    public var primaryConnInfo: String?
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
    /// What the server runs at each restart point: archive_cleanup_command, with `%r` for the oldest file that it needs.
    public var archiveCleanupCommand: String?
    /// What the server runs once, at the end of recovery: recovery_end_command.
    public var recoveryEndCommand: String?
    /// How much later than on its primary a standby replays commits (from 9.4), as the server reads it, in milliseconds
    /// unless a unit follows: `1h`.
    public var minApplyDelay: String?
    /// A file that promotes a standby when it appears: trigger_file before 12, promote_trigger_file up to 15.
    public var triggerFile: String?
    /// Where recovery stops; nil for the end of WAL.
    public var recoveryTarget: RecoveryTarget?
    /// The timeline that recovery follows; nil for the server's default, unless `followsLatestTimeline` counts.
    public var timeline: RecoveryTimeline?
    /// Whether ``changes(to:)`` takes out a recovery target that the files have, with what belongs to it, if there is none
    /// to set.
    public var takesTargetOut = false
    /// Settings that ``changes(to:)`` takes out of the files.
    public var removedSettings: [String] = []
    /// More settings for the standby, written after all others. Before 12, those that the server reads in recovery.conf
    /// go there.
    public var settings: [Setting]

    public init(
        serverVersion: Int, primaryConnInfo: String? = nil, slotName: String? = nil, port: Int? = nil,
        hotStandby: Bool = true,
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
}
