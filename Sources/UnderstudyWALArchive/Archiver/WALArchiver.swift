public import Logging
import Metrics
public import ServiceLifecycle
import UnderstudyConnection
public import UnderstudyCore
import UnderstudyPlatform
public import UnderstudyStreaming
public import UnderstudyWAL

/// Receives WAL from a server continuously, and writes it to a destination.
///
/// ```swift
/// let archiver = WALArchiver(
///     source: "host=db1,db2 user=archiver target_session_attrs=read-write",
///     slot: .createIfMissing("archive"),
///     destination: .directory("/srv/wal", compression: .zstd(level: 3)),
///     logger: logger)
/// try await ServiceGroup(services: [archiver], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
///
/// Guarantees: a position is reported to the server as flushed only after the destination's ``WALDestination/sync()``
/// has returned it; in every mode, that happens soon after the input is drained. Segments follow each other without a
/// gap, across connections, servers and timelines.
///
/// Source: the server commands START_REPLICATION, IDENTIFY_SYSTEM, TIMELINE_HISTORY and READ_REPLICATION_SLOT.
public final class WALArchiver: Service {
    /// What may be set; each has a default that suits most servers.
    public struct Options: Sendable, Equatable, Codable {
        /// The value of the dimension `archiver` of all metrics and of the metadata `archiver` of all log lines, which tells
        /// the archivers of one process apart. If nil, the name of the slot; without a slot, the `application_name` of the
        /// connection string, of libpq's environment (`PGAPPNAME`), or `understudy`.
        public var name: String?
        /// Where to begin (rounded down to a segment's start), unless the destination already goes further.
        public var startLSN: LSN?
        /// The stream ends successfully once it has passed this position.
        public var endLSN: LSN?
        /// Syncs and acknowledges received WAL at once, as a synchronous standby should. This also applies while the
        /// server lists the archiver as one, if an ordinary connection is allowed.
        public var synchronous: Bool
        /// How often to send a status update unasked; nil to send one only when something changes or the server asks.
        public var statusInterval: Duration?
        /// Recreates a slot that the server has invalidated, and creates a missing one. The stream continues where the
        /// server still has WAL; a gap before that is reported to the destination and to the listeners. Otherwise
        /// ``run()`` throws ``UnderstudyError/Code/slotInvalidated``. A slot that is in use, or that may still hold
        /// WAL, is never dropped.
        public var recreatesSlot: Bool
        /// The most WAL that is received; nil for no limit.
        public var maxRate: TransferRate?
        /// Warns when more than this many bytes of the server's WAL are not acknowledged; nil for never.
        public var maxLag: UInt64?
        /// Whether to open ordinary connections for what only SQL tells: the state of the slot, how far the server is, and
        /// whether commits wait for the archiver. If not, they are thought to wait where synchronous_standby_names could
        /// mean it; before 10 always. After a refusal no more are opened.
        public var opensOrdinaryConnections: Bool
        /// How long the server may be silent before the connection is dropped; nil for no limit.
        public var stallTimeout: Duration?
        /// Whether to reconnect after a connection is lost. Otherwise ``run()`` throws.
        public var reconnects: Bool
        /// Whether to retry the very first connection, too, and to wait where this process is short of threads or
        /// descriptors.
        public var retriesFirstConnection: Bool

        /// Each parameter is the property of its name.
        public init(
            name: String? = nil, startLSN: LSN? = nil, endLSN: LSN? = nil, synchronous: Bool = false,
            statusInterval: Duration? = .seconds(10), recreatesSlot: Bool = false, maxRate: TransferRate? = nil,
            maxLag: UInt64? = nil, opensOrdinaryConnections: Bool = true, stallTimeout: Duration? = .seconds(300),
            reconnects: Bool = true,
            retriesFirstConnection: Bool = true
        ) {
            self.name = name
            self.startLSN = startLSN
            self.endLSN = endLSN
            self.synchronous = synchronous
            self.statusInterval = statusInterval
            self.recreatesSlot = recreatesSlot
            self.maxRate = maxRate
            self.maxLag = maxLag
            self.opensOrdinaryConnections = opensOrdinaryConnections
            self.stallTimeout = stallTimeout
            self.reconnects = reconnects
            self.retriesFirstConnection = retriesFirstConnection
        }
    }

    let source: ConnectionString
    let slot: ReplicationSlot
    let destination: any WALDestination
    package let options: Options
    let logger: Logger
    /// What it is called in its metrics (the dimension `archiver`) and pages, and in a ``WALArchiverGroup``: see
    /// ``Options/name``.
    public let name: String
    let state: ArchiverState

    /// - Parameters:
    ///   - source: The server, or several of which one is the primary.
    ///   - slot: An existing slot, or one to create; an archiver has no temporary one.
    ///   - logger: Gets events in the words of pg_receivewal at level `info`, and temporary problems at levels
    ///     `warning` and `error`. The metadata `event` names what happened (`connected`, `segment-finished`, `disconnected`),
    ///     and facts are metadata, too (`segment`, `timeline`, `startLSN`): the guide's page on services lists both, and they
    ///     do not change. Each line has the metadata `archiver`: ``name``.
    public init(
        source: ConnectionString, slot: ReplicationSlot = .none, destination: some WALDestination,
        options: Options = .init(),
        logger: Logger = .silent
    ) {
        self.source = source
        self.slot = slot
        self.destination = destination
        self.options = options
        name =
            options.name ?? slot.name ?? (try? ConnectionParameters(reading: source))?.applicationName
            ?? ArchiverRun.applicationName
        var logger = logger
        logger[metadataKey: "archiver"] = "\(name)"
        self.logger = logger
        state = ArchiverState(
            isSynchronous: options.synchronous, access: QueryAccess(isAllowed: options.opensOrdinaryConnections))
    }

    /// Runs until the service is shut down gracefully, the task is cancelled, `endLSN` is passed, or something fails
    /// that a retry cannot fix. An archiver runs once: a second call throws.
    ///
    /// In the first three cases, returns after everything received was synced and acknowledged. Otherwise throws an
    /// ``UnderstudyError``.
    public func run() async throws {
        guard state.begin() else {
            throw UnderstudyError(
                .options, "this archiver has run already", hint: "Make a new one: an archiver runs once.")
        }
        let archiving = self
        let state = state
        // On this task, which may have a factory of its own.
        let factory = MetricsSystem.factory
        let result: Result<Void, UnderstudyError> = await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                var pauses = RetryPauses()
                // A stop must be bounded whatever there is no room for then.
                do throws(FileIOError) { try Timers.shared.start() } catch { return .failure(UnderstudyError(error)) }
                while true {
                    switch await archiving.runOnThread(metrics: factory) {
                    case .ended(let result): return result
                    case .noThread where state.stopIsAsked: return .success(())
                    case .noThread(let error):
                        let failure = UnderstudyError(error)
                        guard archiving.options.reconnects, archiving.options.retriesFirstConnection else {
                            return .failure(failure)
                        }
                        await state.pauseTask(pauses.begin(after: failure, of: archiving))
                    }
                }
            } onGracefulShutdown: {
                state.stop()
            }
        } onCancel: {
            state.stop()
        }
        if case .failure(let error) = result { state.end(error) } else { state.end() }
        try result.get()
    }

    private enum Running {
        case ended(Result<Void, UnderstudyError>)
        /// Nothing was done.
        case noThread(FileIOError)
    }

    private func runOnThread(metrics factory: any MetricsFactory) async -> Running {
        var thread: OwnThread?
        let result: Running = await withCheckedContinuation { continuation in
            do throws(FileIOError) {
                thread = try OwnThread("wal archiver") {
                    continuation.resume(
                        returning: .ended(
                            Result { () throws(UnderstudyError) in
                                var run = try ArchiverRun(self, metrics: factory)
                                try run.run()
                            }))
                }
            } catch { continuation.resume(returning: .noThread(error)) }
        }
        // Does not block for long: the run is over.
        thread?.join()
        return result
    }
}

// MARK: - Looking on

extension WALArchiver {
    /// A snapshot of what an archiver is doing.
    public struct Status: Sendable, Equatable, Codable {
        /// What the archiver is doing.
        @nonexhaustive
        public enum Phase: String, Sendable, CaseIterable, Codable {
            /// Not running: not yet, or no longer.
            case stopped
            /// Connecting, and comparing the archive with the server.
            case connecting
            /// Pausing before the next attempt, after a connection was lost or could not be made.
            case waiting
            /// More than a segment behind the server.
            case catchingUp
            /// At most a segment behind the server.
            case streaming
            /// The destination has no room.
            case stalled
        }

        public var phase = Phase.stopped
        /// The position after the last byte received.
        public var received = LSN.invalid
        /// Everything before it is on stable storage.
        public var synced = LSN.invalid
        /// The flush position that the server was last sent.
        public var acknowledged = LSN.invalid
        /// The end of the server's own WAL, as last reported.
        public var server = LSN.invalid
        /// How many bytes of the server's WAL are not acknowledged: until something was, from where on its slot kept WAL, or else
        /// from where the stream began.
        public var lagBytes: UInt64 = 0
        /// How long there have been such bytes without a break.
        public var lag = Duration.zero
        /// For how long the destination has not done what it was asked last, a write or a sync; nil if it has done all.
        public var storageWait: Duration?
        /// For how long nothing has come, though the server has more WAL; nil if it has not, as far as is known.
        public var receiptWait: Duration?
        /// How long ago the server's last message came; nil without a connection. A quiet server says something every
        /// half of its `wal_sender_timeout`.
        public var silence: Duration?
        public var timeline = TimelineID(rawValue: 0)
        /// The name of the segment that is being received.
        public var segment: String?
        /// The number of segments finished since the start.
        public var segmentsFinished = 0
        public var connectedSince: ContinuousClock.Instant?
        /// How often it has connected again since the start.
        public var reconnects = 0
        /// The last error; it may be resolved by now.
        public var lastError: UnderstudyError?
        /// When that was.
        public var lastErrorAt: ContinuousClock.Instant?
        /// The slot as the server last showed it; nil without one.
        public var slot: Slot?
        /// What the archive holds; nil before it was looked at.
        public var holdings: Holdings?

        public init() {}
    }

    /// An event in an archiver's work.
    @nonexhaustive
    public enum Event: Sendable, Equatable {
        case connected(host: String, port: String, start: WALPosition)
        case segmentFinished(WALSegment)
        /// The stream continues on another timeline, from the start of the segment in which it begins.
        case timelineSwitched(to: WALPosition)
        /// WAL that does not belong to the server's past was set aside.
        case diverged(WALHoldings.Divergence)
        /// The server has invalidated the slot, which no longer holds WAL. The reason is the server's word, such as
        /// `wal_removed`, if it gives one.
        case slotInvalidated(slot: String, reason: String?)
        /// The server has removed WAL that was not received; the stream continues after it.
        case gap(WALGap)
        /// The destination has no room; nothing is acknowledged until it has.
        case stalled(UnderstudyError)
        case recovered
        /// The server keeps WAL that is not acknowledged, or is about to lose some; the text says which.
        case lagging(String)
        case disconnected(UnderstudyError, retryAfter: Duration)
        /// ``run()`` is about to throw this: the archiver has ended for good.
        case failed(UnderstudyError)
    }

    public var status: Status { state.status }

    /// How often the archiver's thread has come round, and asks it to do so once more.
    ///
    /// While the archiver streams, the number is greater at a call some seconds later, however quiet the server is, unless that
    /// thread waits for storage that does not answer. A full disk, a limited rate and a silent server do not hold it up.
    /// While the archiver connects or pauses, the number stays.
    public func pulse() -> UInt64 { state.pulse() }

    /// How many events are buffered for a slow listener; older ones are dropped. The stream never waits for a listener.
    public static let bufferedEvents = 4096

    /// A new sequence of the events from now on. It ends when ``run()`` returns.
    public func events() -> AsyncStream<Event> { state.listen() }

    /// The same.
    ///
    /// - Parameter missed: Gets each event that is dropped, on a thread that receives WAL: it must not wait for anything.
    package func events(missed: @escaping @Sendable (Event) -> Void) -> AsyncStream<Event> {
        state.listen(missed: missed)
    }
}
