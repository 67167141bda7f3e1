import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

/// The slot of a stream: checked, and created if wanted, before anything is written.
struct ArchiverSlot {
    let name: String?
    /// The server keeps WAL for us from here on, as far as that is known.
    private(set) var restart: (timeline: TimelineID?, lsn: LSN)?
    /// Set if the server has invalidated the slot, which then holds no WAL.
    private(set) var invalidation: SlotInvalidation?
    /// Whether it must be recreated before the stream begins, or else the run ends.
    var isLost: Bool { invalidation != nil || isMissing || isEmpty }
    /// Whether there is no slot and one is to be created: a run may have been killed between dropping and creating it.
    private var isMissing = false
    /// Whether it holds no WAL, because it was invalidated or never used, and is to be recreated. That loses nothing.
    private(set) var isEmpty = false
    /// Whether it held no WAL at the start, and nothing shows whether it ever did.
    private(set) var isUncertain = false

    init(
        _ slot: ReplicationSlot, _ session: Session, _ server: ServerFacts, parameters: ConnectionParameters,
        recreates: Bool, tracker: inout SlotTracker, state: ArchiverState, logger: Logger
    ) throws(UnderstudyError) {
        name = slot.name
        guard slot != .temporary else {
            throw UnderstudyError(
                .options, "an archiver has no temporary slot: the server would remove WAL while it is away",
                hint: "Use a permanent slot.")
        }
        guard let name = slot.name else { return }
        // It is created once; later connections find it.
        let slot = slot == .create(name) && tracker.createdOn != nil ? .existing(name) : slot
        let isWanted = slot == .create(name) || slot == .createIfMissing(name)
        try server.version.requireSlots()
        try session.checkSlotName(name)
        let reading = try tracker.read(
            name, session, server, parameters.pinned(to: session), state.interrupt, access: state.access)
        var found = reading.state
        if let found, found.kind != "physical" { throw .notPhysical(slot: name, kind: found.kind) }
        if case .create = slot, found != nil {
            throw UnderstudyError(
                .slot, "replication slot \"\(name)\" already exists",
                hint: "Choose another name, or use the slot that exists.", sqlState: "42710")
        }
        if found == nil, isWanted {
            do throws(UnderstudyError) {
                try session.makeSlot(name, temporary: false, reserveWAL: true)
                tracker.createdOn = parameters.pinned(to: session)
                logger.info(
                    "created replication slot \"\(name)\"", metadata: .event(.slotCreated, ["slot": "\(name)"]))
            } catch  where error.sqlState == "42710" && !reading.isKnown && slot != .create(name) {
                // It existed, which nothing had shown.
                tracker.warnUncertain(reading, name, recreates: recreates && server.version.invalidatesSlots, logger)
            }
            found = try Self.read(name, session, server)
        } else if found == nil, reading.isKnown {
            guard recreates else {
                throw UnderstudyError(
                    .slot, "replication slot \"\(name)\" does not exist",
                    remedy:
                        "Make it with \(.createSlot(name)), or on the server: \(SlotSQL.create(name, on: server.version))",
                    sqlState: "42704")
            }
            isMissing = true
        } else if recreates, reading.isUncertain, let found, found.restartLSN == nil {
            isEmpty = true
        } else {
            tracker.warnUncertain(reading, name, recreates: recreates && server.version.invalidatesSlots, logger)
        }
        invalidation = reading.invalidation
        isUncertain = reading.isUncertain && found != nil && found?.restartLSN == nil
        if let lsn = found?.restartLSN { restart = (found?.restartTimeline, lsn) }
    }

    /// Drops the slot, unless it is gone, and creates one that holds WAL from now on. The server does not drop a slot
    /// that is in use.
    mutating func recreate(_ session: Session, _ server: ServerFacts, logger: Logger) throws(UnderstudyError) {
        guard let name else { return }
        if !isMissing { try session.removeSlot(name) }
        try session.makeSlot(name, temporary: false, reserveWAL: true)
        logger.notice(
            "\(isMissing ? "made" : "dropped, and made anew,") replication slot \"\(name)\"",
            metadata: .event(.slotCreated, ["slot": "\(name)"]))
        (isMissing, isEmpty, isUncertain, invalidation) = (false, false, false, nil)
        let found = try Self.read(name, session, server)
        restart = found?.restartLSN.map { (found?.restartTimeline, $0) }
    }

    /// The state of a slot; nil before 15.
    private static func read(
        _ name: String, _ session: Session, _ server: ServerFacts
    ) throws(UnderstudyError) -> SlotState? {
        guard server.version.readsSlots else { return nil }
        return try session.ask(.readSlot(name))
    }
}

/// Chooses where a stream begins.
struct ArchiverStart {
    let options: WALArchiver.Options
    let identity: SystemIdentity
    let segmentSize: WALSegmentSize
    /// The history of the server's timeline; nil if it is not known.
    let history: [UInt8]?

    /// The end of the archive, else the slot's position, else the server's, but not before the requested position.
    /// Always a segment's start.
    ///
    /// - Parameter restart: The slot's position, if it is known.
    func position(
        holdings: WALHoldings, restart: (timeline: TimelineID?, lsn: LSN)?
    ) throws(UnderstudyError) -> WALPosition {
        let wanted = options.startLSN?.segmentStart(segmentSize)
        if let next = holdings.next {
            if let wanted, wanted > next.lsn { return try position(at: wanted) }
            return next
        }
        if let wanted { return try position(at: wanted) }
        if let restart {
            let start = restart.lsn.segmentStart(segmentSize)
            if let timeline = restart.timeline { return WALPosition(timeline: timeline, lsn: start) }
            return try position(at: start)
        }
        return WALPosition(
            timeline: identity.timeline, lsn: identity.position.segmentStart(segmentSize))
    }

    /// A position, on the timeline that it has in the server's history.
    private func position(at lsn: LSN) throws(UnderstudyError) -> WALPosition {
        guard let history else { return WALPosition(timeline: identity.timeline, lsn: lsn) }
        do throws(TimelineHistoryError) {
            let past = try TimelineHistory(parsing: history, of: identity.timeline)
            return WALPosition(timeline: past.timeline(of: lsn), lsn: lsn)
        } catch { throw UnderstudyError(.protocolViolation, error.message, detail: error.detail, cause: error) }
    }
}
