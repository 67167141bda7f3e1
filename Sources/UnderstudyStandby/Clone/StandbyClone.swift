public import Logging
public import UnderstudyBackup
public import UnderstudyConfiguration
public import UnderstudyCore

/// Creates a standby of a running primary: a base backup with a permanent slot, recovery settings for the server's
/// version, and, if asked, a started server that streams.
public struct StandbyClone: Sendable {
    /// The primary.
    public var source: ConnectionString
    public var options: Options
    public var logger: Logger

    public init(source: ConnectionString, options: Options = .init(), logger: Logger = .silent) {
        self.source = source
        self.options = options
        self.logger = logger
    }

    /// What may be set. By default the standby has no slot, and is not started.
    public struct Options: Sendable, Equatable, Codable {
        /// The options of the base backup. The clone sets its slot and recovery settings.
        public var backup: BaseBackup.Options
        /// The permanent slot that the standby uses, or none.
        public var slot: ReplicationSlot
        /// A password file to write, instead of the password in primary_conninfo.
        public var passfile: String?
        /// The port that the standby listens on; nil for the primary's.
        public var port: Int?
        /// A postgresql.conf outside the data directory, as on Debian.
        public var configFile: String?
        /// Whether to create minimal configuration files if the copy has none.
        public var generateConfig: Bool
        /// How the standby gets WAL that its primary has removed: restore_command, which a shell runs.
        public var restoreCommand: String?
        /// More settings for the standby, written after all others, with values as they are: they are quoted here.
        public var settings: [StandbyConfiguration.Setting]
        /// Whether the files that the primary's server has logged into its data directory (log_directory) are left out
        /// of the standby. The backup manifest names them all the same.
        public var leavesOutLogs: Bool
        /// The directory of pg_ctl; nil to search the usual places for the primary's major version.
        public var binDirectory: String?
        /// The file for what a started standby says; nil for one beside the directory, or in Debian's log directory.
        public var log: String?
        /// If not nil, starts the standby and waits until it streams.
        public var start: Start?

        /// Each parameter is the property of its name.
        public init(
            backup: BaseBackup.Options = .init(label: "understudy clone"), slot: ReplicationSlot = .none,
            passfile: String? = nil, port: Int? = nil, configFile: String? = nil, generateConfig: Bool = false,
            restoreCommand: String? = nil, settings: [StandbyConfiguration.Setting] = [],
            leavesOutLogs: Bool = false,
            binDirectory: String? = nil, log: String? = nil, start: Start? = nil
        ) {
            self.backup = backup
            self.slot = slot
            self.passfile = passfile
            self.port = port
            self.configFile = configFile
            self.generateConfig = generateConfig
            self.restoreCommand = restoreCommand
            self.settings = settings
            self.leavesOutLogs = leavesOutLogs
            self.binDirectory = binDirectory
            self.log = log
            self.start = start
        }
    }

    /// How a standby is started.
    public struct Start: Sendable, Equatable, Codable {
        /// How long to wait until the standby streams.
        public var wait = Duration.seconds(60)

        public init(wait: Duration = .seconds(60)) {
            self.wait = wait
        }
    }

    /// What has come of a clone.
    public struct Result: Sendable, Equatable, Codable {
        public var backup: BackupResult
        /// The slot, and whether the clone created it.
        public var slot: String?
        public var slotWasMade: Bool
        /// The command that starts the standby.
        public var startCommand: String
        /// The state of the standby, which streams and answers queries; nil if it was not to be started.
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
public struct StandbyState: Sendable, Equatable, Codable {
    public var processID: Int32
    public var port: Int
    public var socketDirectory: String?
    /// Bytes of WAL that the standby had not received when it was last queried; nil if unknown.
    public var lagBytes: UInt64?

    public init(processID: Int32, port: Int, socketDirectory: String? = nil, lagBytes: UInt64? = nil) {
        self.processID = processID
        self.port = port
        self.socketDirectory = socketDirectory
        self.lagBytes = lagBytes
    }
}
