public import Logging
public import UnderstudyConfiguration
public import UnderstudyCore

/// A data directory whose recovery settings are written while no server runs in it: a standby, or a recovery to a point in
/// time.
///
/// ```swift
/// var options = StandbyDirectory.Options()
/// options.primary = "host=10.0.0.1 user=replicator"
/// options.slotName = "standby1"
/// let directory = StandbyDirectory("/srv/standby")
/// let plan = try await directory.plan(options)
/// print(plan.difference)
/// try await directory.apply(plan)
/// ```
///
/// The version is that of the directory's PG_VERSION: 9.3 to 19.
public struct StandbyDirectory: Sendable {
    public var path: String
    public var logger: Logger

    public init(_ path: String, logger: Logger = .silent) {
        self.path = path
        self.logger = logger
    }

    /// What is to be set. What is nil or empty stays as it is.
    public struct Options: Sendable, Equatable {
        /// nil for what the directory is already, for a standby if there is a primary, or for a recovery if there is a
        /// target.
        public var mode: StandbyConfiguration.Mode?
        /// How the standby reaches its primary. Nothing is added from the environment: the server has its own.
        ///
        /// A text replaces the connection that is there, but for the password of the same user, if none is given. With an
        /// empty text, the overrides change that connection, and what they do not name stays.
        public var primary: ConnectionString?
        /// The password of the primary, if the connection string has none; it replaces one that is there.
        public var password: String?
        public var passwordPlace = PasswordPlace.inline
        /// The replication slot on the primary (from 9.4); empty for none.
        public var slotName: String?
        /// The port that the server listens on.
        public var port: Int?
        public var restoreCommand: String?
        public var archiveCleanupCommand: String?
        public var recoveryEndCommand: String?
        /// See ``StandbyConfiguration/minApplyDelay``.
        public var minApplyDelay: String?
        /// See ``StandbyConfiguration/triggerFile``.
        public var triggerFile: String?
        /// A new target replaces an earlier one, with its action and timeline. Where the mode or the primary is given
        /// without a target, an earlier one is taken out.
        public var recoveryTarget: RecoveryTarget?
        public var timeline: RecoveryTimeline?
        /// More settings, written after all others, with values as they are: they are quoted here. Those that have a
        /// property here are refused.
        public var settings: [StandbyConfiguration.Setting] = []
        /// Names of settings to take out.
        public var removedSettings: [String] = []
        /// The postgresql.conf of the server, if it is neither in the data directory nor where Debian keeps it. It is
        /// read, and written only for 9.3.
        public var configFile: String?

        public init() {}
    }

    /// Where the password of the primary goes.
    @nonexhaustive
    public enum PasswordPlace: Sendable, Equatable {
        /// Into primary_conninfo, which the server's user can read, and superusers of the standby.
        case inline
        /// Into this password file, which primary_conninfo names (from 10).
        case file(String)
        /// Nowhere: the server's user has a password file, or needs none.
        case leftOut
    }

    /// What is changed.
    public struct Plan: Sendable {
        /// As `server_version_num`, without the number of the minor version: 150000.
        public let serverVersion: Int
        /// What the server does when it starts.
        public let mode: StandbyConfiguration.Mode
        /// The files, with absolute paths, in the order in which they are changed. They may hold passwords.
        public let changes: [StandbyConfiguration.FileChange]
        /// The lines of a password file.
        var passwordLines: [String] = []
        var passfile: String?

        /// Whether all is set already.
        public var isEmpty: Bool { changes.isEmpty }

        /// The changes as `diff -u` shows them, with passwords hidden.
        public var difference: String {
            changes.map { change in
                TextDifference.unified(old: change.old, new: change.new, name: change.name) { line in
                    change.name == passfile ? HiddenSecrets.passfileLine(line) : HiddenSecrets.settingLine(line)
                }
            }.joined()
        }
    }
}
