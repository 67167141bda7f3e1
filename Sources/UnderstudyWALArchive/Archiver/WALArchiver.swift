public import Logging
public import ServiceLifecycle
import UnderstudyConnection
public import UnderstudyCore
import UnderstudyPlatform
public import UnderstudyStreaming
public import UnderstudyWAL

/// Receives WAL from a server without end, and hands it to a destination.
///
/// ```swift
/// let archiver = WALArchiver(
///     source: "host=db1,db2 user=archiver target_session_attrs=read-write",
///     slot: .permanent("archive", createIfMissing: true),
///     destination: .directory("/srv/wal", compression: .zstd(level: 3)),
///     logger: logger)
/// try await ServiceGroup(services: [archiver], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
///
/// What it guarantees: the server is told a position as flushed only when the destination's
/// ``WALDestination/sync()`` has returned it; that happens soon after the input is drained, in every mode. Segments follow
/// each other without a gap, across connections, servers and timelines.
///
/// Source: the server commands START_REPLICATION, IDENTIFY_SYSTEM, TIMELINE_HISTORY and READ_REPLICATION_SLOT.
public final class WALArchiver: Service {
    public enum Slot: Sendable, Equatable {
        /// No slot: the server may remove WAL before it has been received.
        case none
        /// A slot that exists, or with `createIfMissing` one that is made, holding WAL from then on.
        case permanent(String, createIfMissing: Bool)

        var name: String? {
            switch self {
            case .none: nil
            case .permanent(let name, _): name
            }
        }
    }

    public struct Options: Sendable {
        /// libpq keywords and values that win over those in the connection string.
        public var overrides: [String: String] = [:]
        /// Where to begin (rounded down to a segment's start) unless the destination goes further already.
        public var startLSN: LSN?
        /// The stream ends, successfully, once it has come beyond this position.
        public var endLSN: LSN?
        /// Syncs and acknowledges whatever has arrived at once, as a synchronous standby should. It also does so as long as
        /// the server lists it as one, where an ordinary connection may ask.
        public var synchronous = false
        /// How often the server is told the position unasked; nil for only when something changes or it asks.
        public var statusInterval: Duration? = .seconds(10)
        /// Drops a slot that the server has invalidated and makes it anew, and a missing one. The stream goes on where the
        /// server still has WAL; a gap before that is told to the destination and to the listeners. Without it ``run()``
        /// throws ``UnderstudyError/Code/slotInvalidated``. A slot that is not shown to be invalidated, or is in use, is
        /// never dropped.
        public var recreatesSlot = false
        /// Most kilobytes (1024 bytes) of WAL per second; nil for no limit.
        public var maxRate: Int?
        /// Warns when the server has more than this many bytes of WAL that are not acknowledged; nil for never.
        public var maxLag: UInt64?
        /// How long the server may be silent before the connection is given up; nil for ever.
        public var stallTimeout: Duration? = .seconds(300)
        /// Whether a lost connection is made again. Without it `run` throws.
        public var reconnects = true
        /// Whether that also holds for the very first connection.
        public var retriesFirstConnection = true

        public init() {}
    }

    let source: String
    let slot: Slot
    let destination: any WALDestination
    let options: Options
    let logger: Logger
    let state: ArchiverState

    /// - Parameters:
    ///   - source: A libpq connection string: `keyword=value …` or a `postgresql://` URI, with one host or several.
    ///   - logger: Gets what happens in the words of pg_receivewal, level `info`; troubles that pass, level `warning` and
    ///     `error`.
    public init(
        source: String, slot: Slot = .none, destination: some WALDestination, options: Options = .init(),
        logger: Logger = .silent
    ) {
        self.source = source
        self.slot = slot
        self.destination = destination
        self.options = options
        self.logger = logger
        state = ArchiverState(isSynchronous: options.synchronous)
    }

    /// Runs until the service is shut down gracefully, the task is cancelled, `endLSN` is passed, or something fails
    /// that trying again cannot mend. An archiver runs once.
    ///
    /// Returns normally after the first three, having synced and acknowledged all that was received. Throws an
    /// ``UnderstudyError`` otherwise.
    public func run() async throws {
        let archiving = self
        let state = state
        let result: Result<Void, UnderstudyError> = await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await withCheckedContinuation { continuation in
                    do throws(FileIOError) {
                        try state.boundStop()
                        _ = try OwnThread("wal archiver") {
                            let result = Result { () throws(UnderstudyError) in
                                var run = try ArchiverRun(archiving)
                                try run.run()
                            }
                            state.end()
                            continuation.resume(returning: result)
                        }
                    } catch {
                        state.end()
                        continuation.resume(returning: .failure(UnderstudyError(error)))
                    }
                }
            } onGracefulShutdown: {
                state.stop()
            }
        } onCancel: {
            state.stop()
        }
        try result.get()
    }
}

// MARK: - Looking on

extension WALArchiver {
    /// What an archiver is doing, at one moment.
    public struct Status: Sendable, Equatable {
        public enum Phase: String, Sendable, CaseIterable {
            /// Not running, not yet or not any more.
            case stopped
            case connecting
            /// A connection was lost or could not be made; there is a pause before the next attempt.
            case waiting
            /// More than a segment behind the server.
            case catchingUp
            case streaming
            /// The destination has no room.
            case stalled
        }

        public var phase = Phase.stopped
        /// The position behind the last byte received.
        public var received = LSN.invalid
        /// Everything before it is on stable storage.
        public var synced = LSN.invalid
        /// What the server was last told of that.
        public var acknowledged = LSN.invalid
        /// How far the server's own WAL goes, as it last said.
        public var server = LSN.invalid
        /// Bytes that the server has and that are not acknowledged.
        public var lagBytes: UInt64 = 0
        /// For how long there have been such bytes without a break.
        public var lag = Duration.zero
        public var timeline = TimelineID(rawValue: 0)
        /// The name of the segment that is being received.
        public var segment: String?
        /// The number of segments finished since the start.
        public var segmentsFinished = 0
        public var connectedSince: ContinuousClock.Instant?
        /// What went wrong last; it may have passed.
        public var lastError: UnderstudyError?

        public init() {}
    }

    /// What happens to an archiver.
    public enum Event: Sendable, Equatable {
        case connected(host: String, port: String, start: WALPosition)
        case segmentFinished(WALSegment)
        /// The stream goes on with another timeline, from the start of the segment in which it begins.
        case timelineSwitched(to: WALPosition)
        /// WAL that is not of the server's past was set aside.
        case diverged(WALHoldings.Divergence)
        /// The server has given up the slot, which holds no WAL any more. The reason is the server's word, such as
        /// `wal_removed`, where it tells one.
        case slotInvalidated(slot: String, reason: String?)
        /// The server has removed WAL that was not received; the stream goes on behind it.
        case gap(WALGap)
        /// The destination has no room: nothing is acknowledged until it has.
        case stalled(UnderstudyError)
        case recovered
        /// The server keeps or will lose WAL that is not acknowledged; the text says which.
        case lagging(String)
        case disconnected(UnderstudyError, retryAfter: Duration)
    }

    public var status: Status { state.status }

    /// So many events wait for a listener that is slow; older ones are dropped. The stream never waits for one.
    public static let bufferedEvents = 256

    /// A new sequence of what happens from now on. It ends when ``run()`` returns.
    public var events: AsyncStream<Event> { state.listen() }
}
