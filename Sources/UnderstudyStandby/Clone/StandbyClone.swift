public import Logging
public import UnderstudyBackup
public import UnderstudyCore

/// Turns a running primary into a standby: a base backup with a permanent slot, recovery settings for the
/// server's version, and, if asked, a started server that streams.
public struct StandbyClone: Sendable {
    /// A libpq connection string of the primary.
    public var primary: String
    /// libpq keywords and values that win over those in `primary`.
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
        /// Where pg_ctl is; nil to look in the usual places of the primary's major version.
        public var binDirectory: String?
        /// Starts the standby and waits until it streams.
        public var start: Start?

        public init() {}
    }

    public struct Start: Sendable {
        /// How long to wait until the standby streams.
        public var wait = Duration.seconds(60)

        public init(wait: Duration = .seconds(60)) {
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
        /// What is known of the standby, which streams and answers queries; nil where it was not to be started.
        public var standby: StandbyState?

        public init(
            backup: BackupResult, slot: String? = nil, slotWasMade: Bool = false, startCommand: String,
            standby: StandbyState? = nil
        ) {
            self.backup = backup
            self.slot = slot
            self.slotWasMade = slotWasMade
            self.startCommand = startCommand
            self.standby = standby
        }
    }
}

/// A started standby.
public struct StandbyState: Sendable {
    public var processID: Int32
    public var port: Int
    public var socketDirectory: String?
    /// Bytes of WAL that the standby had still to receive when it was last asked.
    public var lagBytes: UInt64?

    public init(processID: Int32, port: Int, socketDirectory: String? = nil, lagBytes: UInt64? = nil) {
        self.processID = processID
        self.port = port
        self.socketDirectory = socketDirectory
        self.lagBytes = lagBytes
    }
}
