public import Logging
public import UnderstudyCore

/// Makes a server ready to be the primary of standbys: a role that may replicate, the settings of the server's version, and
/// lines of pg_hba.conf for the standbys' addresses.
///
/// ```swift
/// let preparation = PrimaryPreparation(
///     source: "host=/run/postgresql user=postgres", options: .init(standbys: ["10.0.0.7"]), password: "...")
/// let plan = try await preparation.plan()
/// for step in plan.steps { print(step.text) }
/// let result = try await preparation.run()
/// print(result.restartSettings)
/// ```
///
/// What is right already stays, so a second run changes nothing.
public struct PrimaryPreparation: Sendable {
    /// The primary, as a role that may change it: usually a superuser.
    public var source: ConnectionString
    public var options: Options
    /// The password of the role for replication; nil to leave the one that it has. It is not sent: the server gets what it
    /// keeps of a password, made here (SCRAM-SHA-256; MD5 before 10).
    public var password: String?
    public var logger: Logger

    public init(
        source: ConnectionString, options: Options = .init(), password: String? = nil, logger: Logger = .silent
    ) {
        self.source = source
        self.options = options
        self.password = password
        self.logger = logger
    }

    /// What may be set. By default only what is too low is changed, and nothing is restarted.
    public struct Options: Sendable, Equatable, Codable {
        /// The role for replication.
        public var role: String
        /// Where standbys come from: an IP address or a network (`10.0.0.0/24`), a host name, or `local` for the socket.
        public var standbys: [String]
        /// The least max_wal_senders; nil for a number that leaves room for one more standby and its clone.
        public var maxWALSenders: Int?
        /// The least max_replication_slots; nil for a number that leaves room for one more slot. From 9.4.
        public var maxReplicationSlots: Int?
        /// The least WAL to keep for standbys without a slot, in bytes: wal_keep_size, before 13 wal_keep_segments; nil to
        /// leave that alone.
        public var walKeep: UInt64?
        /// The value of listen_addresses; nil to leave that alone.
        public var listenAddresses: String?
        /// Whether settings are written into postgresql.conf, not by ALTER SYSTEM. Before 9.4 they always are.
        public var editsFiles: Bool
        /// If not nil, restarts the server if settings need that.
        public var restart: Restart?
        /// The directory of pg_ctl, for a restart; nil to search the usual places for the primary's major version.
        public var binDirectory: String?

        /// Each parameter is the property of its name.
        public init(
            role: String = "replicator", standbys: [String] = [], maxWALSenders: Int? = nil,
            maxReplicationSlots: Int? = nil, walKeep: UInt64? = nil, listenAddresses: String? = nil,
            editsFiles: Bool = false, restart: Restart? = nil, binDirectory: String? = nil
        ) {
            self.role = role
            self.standbys = standbys
            self.maxWALSenders = maxWALSenders
            self.maxReplicationSlots = maxReplicationSlots
            self.walKeep = walKeep
            self.listenAddresses = listenAddresses
            self.editsFiles = editsFiles
            self.restart = restart
            self.binDirectory = binDirectory
        }
    }

    /// How a server is restarted.
    public struct Restart: Sendable, Equatable, Codable {
        /// How long to wait until the server has stopped, and is up again.
        public var wait: Duration

        public init(wait: Duration = .seconds(60)) {
            self.wait = wait
        }
    }

    /// What is to be done, in order.
    public struct Plan: Sendable, Equatable, Codable {
        public var steps: [Step]
        /// Remarks about the server, such as an address on which it does not listen.
        public var notes: [String]
        /// The settings that come into effect with a restart, those among them that are set already.
        public var restartSettings: [String]
        /// The command that restarts the server; nil if it is not on this machine.
        public var restartCommand: String?
        /// Whether the role has no password, and none is given: then a run fails.
        public var needsPassword: Bool

        public init(
            steps: [Step] = [], notes: [String] = [], restartSettings: [String] = [], restartCommand: String? = nil,
            needsPassword: Bool = false
        ) {
            self.steps = steps
            self.notes = notes
            self.restartSettings = restartSettings
            self.restartCommand = restartCommand
            self.needsPassword = needsPassword
        }
    }

    public struct Step: Sendable, Equatable, Codable {
        @nonexhaustive
        public enum Kind: String, Sendable, Codable {
            case role, setting, settingsFile, hostRules, reload, restart
        }

        public var kind: Kind
        /// In a few words: `create role "replicator"`.
        public var summary: String
        /// What does it: an SQL statement, the difference that is made to a file as `diff -u` shows it, or a command. It has
        /// neither a password nor what the server keeps of one.
        public var text: String
        /// Why this run does not do it; nil if it does.
        public var obstacle: Obstacle?
        /// What an administrator runs or writes where the step is not done here, in lines.
        public var byHand: [String]
        /// What takes it back, once it was done; nil if nothing does.
        public var undo: String?

        public init(
            kind: Kind, summary: String, text: String, obstacle: Obstacle? = nil, byHand: [String]? = nil,
            undo: String? = nil
        ) {
            self.kind = kind
            self.summary = summary
            self.text = text
            self.obstacle = obstacle
            self.byHand = byHand ?? [text]
            self.undo = undo
        }
    }

    public enum Obstacle: Sendable, Equatable, Codable {
        /// The role of the connection has not the right. A run changes nothing then.
        case right(String)
        /// The file cannot be written from here. A run does the other steps.
        case place(String)
    }

    /// What has come of a run.
    public struct Result: Sendable, Equatable, Codable {
        /// What was planned and, where there was no obstacle, done.
        public var plan: Plan
        /// The settings that still wait for a restart.
        public var restartSettings: [String]
        /// Where old files are kept.
        public var keptFiles: [String]
        public var wasRestarted: Bool

        public init(plan: Plan, restartSettings: [String] = [], keptFiles: [String] = [], wasRestarted: Bool = false) {
            self.plan = plan
            self.restartSettings = restartSettings
            self.keptFiles = keptFiles
            self.wasRestarted = wasRestarted
        }
    }
}
