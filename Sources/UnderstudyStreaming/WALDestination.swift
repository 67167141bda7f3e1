package import UnderstudyPlatform
public import UnderstudyWAL

/// Where received WAL goes: a directory, an object store, whatever a program makes of it.
///
/// The archiver calls it on threads of its own, one call at a time, in the order in which WAL arrives; a call may block.
/// What ``sync()`` returns is what the server is told as flushed, and may then be gone there: never return more than what
/// survives a crash.
///
/// ```
/// open, then for each segment: begin, write …, finish; in between sync, putHistory; at the end suspend, close
/// ```
///
/// An error with ``WALDestinationError/isTemporary`` (a full disk) makes the archiver wait and repeat the same call; any
/// other one ends it. A sync that failed is never temporary: what was written before may be lost.
public protocol WALDestination: Sendable {
    /// Begins a connection: says what is held already, and makes room for what comes.
    ///
    /// - Parameter origin: The server, whose timelines decide what of the holdings is of its own past. WAL that is not must
    ///   be set aside here.
    func open(_ origin: WALOrigin) throws(WALDestinationError) -> WALHoldings

    /// The first byte of this segment is to be written next. It may be one that was begun before, or finished.
    func begin(_ segment: WALSegment) throws(WALDestinationError)

    /// Takes the next bytes of the segment begun last.
    ///
    /// - Parameters:
    ///   - bytes: Lent for the call.
    ///   - offset: Within the segment; follows what was written before, or repeats what a temporary error kept from being
    ///     written.
    func write(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError)

    /// As ``write(_:at:)``, where ``sync()`` is called next: what can do both at once does.
    func writeToSync(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError)

    /// Puts everything written so far on stable storage.
    ///
    /// - Returns: The position up to which all WAL since `open` survives a crash; nil if nothing does. It is told to the server
    ///   as flushed. A destination that somebody has told not to sync, and to let a slot move all the same, returns what it has
    ///   written.
    func sync() throws(WALDestinationError) -> LSN?

    /// Everything before it, since `open`, has been handed to the operating system and survives the end of this process; nil
    /// if nothing is known beyond what ``sync()`` has returned. Told to the server as written.
    var written: LSN? { get }

    /// The segment begun last is complete.
    func finish(_ segment: WALSegment) throws(WALDestinationError)

    /// The segment begun last ends here for now: its timeline or the connection has ended. What was written of it stays.
    func suspend() throws(WALDestinationError)

    /// Keeps the content of a timeline history file, durably.
    func putHistory(_ timeline: TimelineID, _ content: [UInt8]) throws(WALDestinationError)

    /// Keeps durably that WAL is missing, and will not come: the server has removed it, and the stream goes on behind it.
    /// A destination that says so in ``WALHoldings/gaps`` from then on is not asked for that WAL again.
    func noteGap(_ gap: WALGap) throws(WALDestinationError)

    /// The connection is over.
    func close()
}

extension WALDestination {
    public var written: LSN? { nil }

    public func writeToSync(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError) {
        try write(bytes, at: offset)
    }

    public func noteGap(_ gap: WALGap) {}
    public func close() {}
}

/// One segment of the write-ahead log.
public struct WALSegment: Hashable, Sendable {
    public let timeline: TimelineID
    /// The position of its first byte, a multiple of `size`.
    public let start: LSN
    /// The position behind its last byte.
    public let end: LSN
    /// The name of its file, 24 hexadecimal digits: `000000010000000000000003`.
    public let name: String

    /// Its length in bytes: 16 MB unless the cluster was made with another one.
    public var size: Int { Int(end.rawValue - start.rawValue) }

    package init(_ name: WALSegmentName) {
        timeline = name.timeline
        start = name.startLSN
        end = name.endLSN
        self.name = name.description
    }
}

/// The server that WAL comes from.
public struct WALOrigin: Sendable {
    /// IDENTIFY_SYSTEM's: equal for a primary and all its standbys.
    public var systemIdentifier: String
    /// Bytes in a segment.
    public var segmentSize: Int
    public var timeline: TimelineID
    /// How far the server's WAL goes on that timeline; nil where that is not known.
    public var position: LSN?
    /// The history file of that timeline; nil for timeline 1, and where the server has lost it.
    public var history: [UInt8]?
    /// The mode of its files: 0600, or 0640 with group access.
    public var fileMode: UInt16
    /// Whether the server keeps or waits for what is acknowledged: there is a slot, or it commits synchronously.
    public var reliesOnAcknowledgement: Bool
    /// Up to here the server was told before that everything is held: the slot's restart_lsn. nil if that is not known.
    public var restartLSN: LSN?

    public init(
        systemIdentifier: String, segmentSize: Int, timeline: TimelineID, position: LSN? = nil,
        history: [UInt8]? = nil, fileMode: UInt16 = 0o600, reliesOnAcknowledgement: Bool = false,
        restartLSN: LSN? = nil
    ) {
        self.position = position
        self.systemIdentifier = systemIdentifier
        self.segmentSize = segmentSize
        self.timeline = timeline
        self.history = history
        self.fileMode = fileMode
        self.reliesOnAcknowledgement = reliesOnAcknowledgement
        self.restartLSN = restartLSN
    }
}

/// What a destination holds of a server's WAL.
public struct WALHoldings: Sendable, Equatable {
    /// Where the stream must begin so that nothing is missing: a segment's start. nil if nothing is held.
    public var next: WALPosition?
    /// Whether everything before `next` survives a crash, as far as this was not told to the server before. Then the
    /// server is told of it as soon as the stream begins, so that a slot moves before the first sync.
    public var isDurable = false
    /// What was set aside because it is not of the server's past.
    public var divergence: Divergence?
    /// What else is to be said, a line each: files that are no use.
    public var warnings: [String] = []
    /// Behind the last byte that is held, as far as it can be seen: it may be one of a segment that is not complete. nil
    /// where nothing is known.
    public var end: WALPosition?
    /// The last bytes that are held, of a few segments, up to the server's position. The server must have the same bytes
    /// there, as far as it still has any, or nothing more is received: it would be of another life of the server.
    public var tail: [Piece] = []

    /// Some bytes of WAL.
    public struct Piece: Sendable, Equatable {
        public var start: WALPosition
        public var bytes: [UInt8]

        public init(start: WALPosition, bytes: [UInt8]) {
            self.start = start
            self.bytes = bytes
        }
    }
    /// What was noted as missing, and is still.
    public var gaps: [WALGap] = []
    /// What else is missing between the first segment and where the stream goes on. Asked for once in a run.
    public var missing: [WALGap] = []

    public struct Divergence: Sendable, Equatable {
        /// The timeline and position at which the server's history leaves ours.
        public var fork: WALPosition
        /// Files or objects, by their new names.
        public var names: [String]

        public init(fork: WALPosition, names: [String]) {
            self.fork = fork
            self.names = names
        }
    }

    public init(next: WALPosition? = nil, isDurable: Bool = false) {
        self.next = next
        self.isDurable = isDurable
    }
}

/// A position on a timeline.
public struct WALPosition: Hashable, Sendable {
    public var timeline: TimelineID
    public var lsn: LSN

    public init(timeline: TimelineID, lsn: LSN) {
        self.timeline = timeline
        self.lsn = lsn
    }
}

/// WAL that the server has removed before it was received. A restore cannot pass through it.
public struct WALGap: Hashable, Sendable {
    /// Behind the last byte that is held before it: in the middle of a segment of which a partial file holds some.
    public var start: WALPosition
    /// Where the archive goes on: a segment's start.
    public var end: WALPosition

    public init(start: WALPosition, end: WALPosition) {
        self.start = start
        self.end = end
    }
}

/// Why a destination could not do what it was asked for.
public struct WALDestinationError: Error, Sendable, CustomStringConvertible {
    /// What failed, on what, and why: lower case, no full stop.
    public var message: String
    public var detail: String?
    public var hint: String?
    /// Whether the same call may succeed later: room was lacking.
    public var isTemporary: Bool
    /// Whether a new connection, perhaps to another server, may help: the holdings are ahead of this one.
    public var dependsOnServer = false
    /// The file system's error, where that is the cause.
    package var file: FileIOError?

    public init(_ message: String, detail: String? = nil, hint: String? = nil, isTemporary: Bool = false) {
        self.message = message
        self.detail = detail
        self.hint = hint
        self.isTemporary = isTemporary
    }

    /// - Parameter isTemporary: nil where lack of room may pass.
    package init(_ error: FileIOError, isTemporary: Bool? = nil) {
        self.init(error.description, hint: error.cure, isTemporary: isTemporary ?? error.isNoSpace)
        file = error
    }

    public var description: String { message }
}
