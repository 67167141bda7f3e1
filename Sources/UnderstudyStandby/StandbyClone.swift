public import Logging
public import UnderstudyBackup

/// Turns a running primary into a standby: a base backup with a permanent slot, recovery settings for the
/// server's version, and, if asked, a started server that streams.
public struct StandbyClone: Sendable {
    /// A libpq connection string of the primary.
    public var primary: String
    /// Connection keywords, `host` or `password` for example, that beat those of `primary`.
    public var overrides: [String: String] = [:]
    public var options: Options
    public var logger: Logger

    public init(primary: String, options: Options = .init(), logger: Logger = .silent) {
        self.primary = primary
        self.options = options
        self.logger = logger
    }

    public struct Options: Sendable {
        /// How the base backup is taken. Its slot and recovery settings are set by the clone.
        public var backup = BaseBackup.Options(label: "understudy clone")
        /// The permanent slot that the standby uses, or nil for none.
        public var slot: String?
        /// A password file to write, instead of the password in primary_conninfo.
        public var passfile: String?
        /// The port that the standby listens on; nil for the primary's.
        public var port: Int?
        /// A postgresql.conf outside the data directory, as Debian has it.
        public var configFile: String?
        /// Whether to make minimal configuration files where the copy has none.
        public var generateConfig = false
        /// Starts the standby and waits until it streams.
        public var start: Start?

        public init() {}
    }

    public struct Start: Sendable {
        /// Where pg_ctl is; nil to look in the usual places of the primary's major version.
        public var binDirectory: String?
        /// How long to wait until the standby streams.
        public var wait = Duration.seconds(60)

        public init(binDirectory: String? = nil, wait: Duration = .seconds(60)) {
            self.binDirectory = binDirectory
            self.wait = wait
        }
    }

    public struct Result: Sendable {
        public var backup: BackupResult
        /// The slot, and whether it was made now.
        public var slot: String?
        public var slotWasMade: Bool
        /// The command that starts the standby.
        public var startCommand: String
        /// What is known of the standby after `start`; nil where it was not started.
        public var standby: StandbyState?
    }
}

/// A started standby.
public struct StandbyState: Sendable {
    public var processID: Int32
    public var port: Int
    public var socketDirectory: String?
    /// Bytes of WAL that the standby had still to receive when it was last asked.
    public var lagBytes: UInt64?
}

extension StandbyClone {
    /// Clones into `directory`, which must be absent or empty.
    public func run(
        into directory: String, progress: @escaping @Sendable (BackupProgress) -> Void = { _ in }
    ) async throws(BackupError) -> Result {
        throw BackupError(.options, "not built yet")
    }
}
