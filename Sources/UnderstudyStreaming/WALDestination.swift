package import UnderstudyPlatform
public import UnderstudyWAL

/// Where received WAL goes: a directory, an object store, or anything else that a program implements.
///
/// The archiver calls it on its own threads, one call at a time, in the order in which WAL arrives; a call may block.
/// The archiver reports the position that ``sync()`` returns to the server as flushed. The server may then remove that
/// WAL: never return more than survives a crash.
///
/// ```
/// open, then for each segment: begin, write …, finish; in between sync, putHistory; at the end suspend, close
/// ```
///
/// After an error with ``WALDestinationError/isTemporary`` (a full disk), the archiver waits and repeats the same call;
/// any other error ends the archiver. A failed sync is never temporary: earlier writes may be lost.
public protocol WALDestination: Sendable {
    /// Begins a connection: returns what is already held, and prepares for more.
    ///
    /// - Parameter origin: The server. Its timelines decide which of the WAL held belongs to its past. WAL that does
    ///   not must be set aside here.
    func open(_ origin: WALOrigin) throws(WALDestinationError) -> WALHoldings

    /// Begins a segment, whose first byte is written next. It may have been begun before, or finished.
    func begin(_ segment: WALSegment) throws(WALDestinationError)

    /// Takes the next bytes of the segment begun last.
    ///
    /// - Parameters:
    ///   - bytes: Valid only during the call.
    ///   - offset: Within the segment. Follows the previous write, or repeats bytes that a temporary error kept from
    ///     being written.
    func write(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError)

    /// Like ``write(_:at:)``, but ``sync()`` is called next: a destination that can do both at once does so here.
    func writeToSync(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError)

    /// Puts everything written so far on stable storage.
    ///
    /// - Returns: The position up to which all WAL since `open` survives a crash; nil if nothing does. The archiver
    ///   reports it to the server as flushed. A destination that was configured not to sync, but to let a slot advance
    ///   all the same, returns what it has written. After a change of timeline, WAL of the old one counts only up to
    ///   where the new one begins.
    func sync() throws(WALDestinationError) -> LSN?

    /// Announces that ``sync()`` would return more, for a destination that stores WAL after a call has returned, as an
    /// upload does; nil if each call does all it can. Always the same object.
    var progress: WALProgress? { get }

    /// The position up to which all WAL since `open` was passed to the operating system, so that it survives the end of
    /// this process; nil if nothing is known beyond what ``sync()`` has returned. The archiver reports it to the server
    /// as written.
    var written: LSN? { get }

    /// Completes the segment begun last.
    func finish(_ segment: WALSegment) throws(WALDestinationError)

    /// Ends the segment begun last for now, because its timeline or the connection has ended. What was written of it
    /// stays.
    func suspend() throws(WALDestinationError)

    /// Stores the content of a timeline history file durably.
    func putHistory(_ timeline: TimelineID, _ content: [UInt8]) throws(WALDestinationError)

    /// Records durably that WAL is missing for good: the server has removed it, and the stream continues after it. If
    /// ``WALHoldings/gaps`` lists the gap from then on, later connections continue after it, too.
    func noteGap(_ gap: WALGap) throws(WALDestinationError)

    /// Ends the connection.
    func close()
}

extension WALDestination {
    public var progress: WALProgress? { nil }
    public var written: LSN? { nil }

    public func writeToSync(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError) {
        try write(bytes, at: offset)
    }

    public func noteGap(_ gap: WALGap) {}
    public func close() {}
}

/// The server that WAL comes from.
public struct WALOrigin: Sendable {
    /// The system identifier from IDENTIFY_SYSTEM, equal for a primary and all its standbys.
    public var systemIdentifier: String
    /// Bytes in a segment.
    public var segmentSize: Int
    public var timeline: TimelineID
    /// The end of the server's WAL on that timeline; nil if it is not known.
    public var position: LSN?
    /// The history file of that timeline; nil for timeline 1, or if the server has lost the file.
    public var history: [UInt8]?
    /// The mode of the server's files: 0600, or 0640 with group access.
    public var fileMode: UInt16
    /// Whether the server keeps WAL for us or waits for us: there is a slot, or commits are synchronous.
    public var reliesOnAcknowledgement: Bool
    /// The slot's restart_lsn: everything before it was acknowledged earlier. nil if it is not known.
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
    /// Where the first segment held begins, whether or not there are gaps behind it; nil if it is not known. For display.
    public var begin: WALPosition?
    /// Whether everything before `next` that was not acknowledged earlier survives a crash. If so, it is acknowledged
    /// as soon as the stream begins, so that a slot advances before the first sync.
    public var isDurable = false
    /// What was set aside because it does not belong to the server's past.
    public var divergence: Divergence?
    /// Other warnings, one line each, such as files that cannot be used.
    public var warnings: [String] = []
    /// The position after the last byte held, as far as it can be determined; it may be within an incomplete segment.
    /// nil if nothing is known.
    public var end: WALPosition?
    /// The last bytes held, from a few segments, up to the server's position. The server must have the same bytes
    /// there, as far as it still has any; otherwise nothing more is received, because the two have diverged.
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
    /// The gaps that were recorded and not filled since.
    public var gaps: [WALGap] = []
    /// Other gaps between the first segment and the position where the stream continues. Needed once per run.
    public var missing: [WALGap] = []

    /// Where the server's history leaves that of the WAL held, and what was set aside for that.
    public struct Divergence: Sendable, Equatable {
        /// The timeline and position at which the server's history leaves that of the archive.
        public var fork: WALPosition
        /// The files or objects set aside, by their new names.
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

/// Why a call to a destination failed.
public struct WALDestinationError: Error, Sendable, CustomStringConvertible {
    /// What failed, on what, and why: lower case, no full stop.
    public var message: String
    public var detail: String?
    public var hint: String?
    /// Whether the same call may succeed later, because room was lacking.
    public var isTemporary: Bool
    /// Whether a new connection, perhaps to another server, may help, as when the archive is ahead of this server.
    public var dependsOnServer = false
    /// The error behind this one, if there was one: of the file system, or what a client of an object store threw.
    public var cause: (any Error)?

    public init(
        _ message: String, detail: String? = nil, hint: String? = nil, isTemporary: Bool = false,
        cause: (any Error)? = nil
    ) {
        self.message = message
        self.detail = detail
        self.hint = hint
        self.isTemporary = isTemporary
        self.cause = cause
    }

    /// - Parameter isTemporary: nil to count a lack of room as temporary.
    package init(_ error: FileIOError, isTemporary: Bool? = nil) {
        self.init(error.description, hint: error.remedy, isTemporary: isTemporary ?? error.isNoSpace, cause: error)
    }

    /// The file system's error, if that is the cause.
    package var file: FileIOError? { cause as? FileIOError }

    public var description: String { message }
}
