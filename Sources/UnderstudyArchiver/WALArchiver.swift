public import Logging
public import ServiceLifecycle
public import UnderstudyReceiver
public import UnderstudySource
public import UnderstudyWAL

/// Receives WAL from a server without end, and archives it.
public final class WALArchiver: Service {
    public enum Slot: Sendable, Equatable {
        /// No slot: the server may remove WAL before it has been received.
        case none
        /// A slot that exists, or with `createIfMissing` one that is made, holding WAL from then on.
        case permanent(String, createIfMissing: Bool)
    }

    public struct Options: Sendable {
        /// libpq keywords and values that win over those in the connection string.
        public var overrides: [String: String] = [:]
        /// Where to begin (rounded down to a segment's start) unless the destination already goes further.
        public var startLSN: LSN?
        /// The stream ends, successfully, once it has come beyond this position.
        public var endLSN: LSN?
        /// Syncs and acknowledges whatever has arrived at once.
        public var synchronous = false
        /// How often the server is told the position unasked; nil for only when something changes or it asks.
        public var statusInterval: Duration? = .seconds(10)
        /// Most kilobytes (1024 bytes) of WAL per second; nil for no limit.
        public var maxRate: Int?
        /// Warns when the slot holds more than this many bytes of WAL on the server; nil for never.
        public var maxLag: UInt64?
        /// How long the server may be silent before the connection is given up; nil for ever.
        public var stallTimeout: Duration? = .seconds(300)
        /// Whether a lost connection is made again. Without it `run` throws.
        public var reconnects = true
        /// Whether that also holds for the very first connection.
        public var retriesFirstConnection = true

        public init() {}
    }

    /// What the archiver is doing, at one moment.
    public struct Status: Sendable, Equatable {
        public enum Phase: String, Sendable { case stopped, connecting, waiting, catchingUp, streaming, stalled }
        public var phase = Phase.stopped
        public var received = LSN.invalid
        public var synced = LSN.invalid
        public var acknowledged = LSN.invalid
        /// How far the server's own WAL goes, as it last said.
        public var server = LSN.invalid
        /// Bytes that the server has, and that are not acknowledged.
        public var lagBytes: UInt64 = 0
        /// How long ago everything that the server has was acknowledged; zero if it is now.
        public var lag = Duration.zero
        public var timeline = TimelineID(rawValue: 0)
        /// The name of the segment that is being written.
        public var segment: String?
        public var connectedSince: ContinuousClock.Instant?
        public var lastError: UnderstudyError?
    }

    public var status: Status { Status() }

    public init(
        source: String, slot: Slot = .none, destination: some WALDestination, options: Options = .init(),
        logger: Logger = .silent
    ) {}

    /// Runs until the service is shut down gracefully, the task is cancelled, `endLSN` is passed, or something fails
    /// that trying again cannot mend.
    ///
    /// Returns normally after the first three. A graceful shutdown (and a cancelled task) syncs and acknowledges all that
    /// was received before it returns.
    public func run() async throws { fatalError() }
}

/// How the files of a directory of WAL are compressed.
public enum WALCompression: Sendable, Equatable {
    case none
    /// 1 to 9; nil for zlib's default.
    case gzip(level: Int? = nil)
    /// 1 to 12; nil for lz4's default.
    case lz4(level: Int? = nil)
    /// 1 to 22; nil for 3.
    case zstd(level: Int? = nil)
}

/// A directory of WAL segment files, as pg_receivewal leaves it.
public final class WALDirectory: WALDestination {
    init(_ path: String, compression: WALCompression, sync: Bool) {}
}

extension WALDestination where Self == WALDirectory {
    /// - Parameters:
    ///   - path: A directory that exists.
    ///   - sync: Whether what is received is put on stable storage at once. Without it that happens rarely, and only then
    ///     is it acknowledged as flushed.
    public static func directory(_ path: String, compression: WALCompression = .none, sync: Bool = true) -> WALDirectory
    {
        WALDirectory(path, compression: compression, sync: sync)
    }
}

/// The commands of a replication connection, each over a connection of its own.
public struct ReplicationClient: Sendable {
    public var source: String
    public var overrides: [String: String]
    public var logger: Logger

    public init(source: String, overrides: [String: String] = [:], logger: Logger = .silent) {
        self.source = source
        self.overrides = overrides
        self.logger = logger
    }

    /// Makes a physical replication slot.
    ///
    /// - Parameters:
    ///   - reserveWAL: Whether it holds WAL from now on, or from its first use (CREATE_REPLICATION_SLOT, RESERVE_WAL).
    ///   - ifNotExists: A slot of that name that is there already is no error.
    public func createSlot(_ name: String, reserveWAL: Bool = true, ifNotExists: Bool = false)
        async throws(UnderstudyError)
    { fatalError() }
    public func dropSlot(_ name: String) async throws(UnderstudyError) { fatalError() }
}
