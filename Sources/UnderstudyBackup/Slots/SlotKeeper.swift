import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyWAL

/// The replication slot of a run: made or taken over, and dropped again if the run fails.
struct SlotKeeper {
    /// The slot that outlives the run; nil for none.
    private(set) var permanent: String?
    /// The slot that the WAL stream uses, and moves forward unless ``keepsPosition``; nil for none.
    private(set) var streamed: String?
    /// Whether the stream leaves the slot where it is.
    private(set) var keepsPosition = false
    /// A permanent slot that this run has made.
    private(set) var made: String?
    /// Whether the permanent slot may hold no WAL at all: it was never used, as far as can be told, and could not be moved.
    private var mayHoldNothing = false

    /// Provides the slot over the connection that will stream the WAL.
    ///
    /// - Parameters:
    ///   - identity: Where the server is now.
    ///   - segmentSize: Of the server's WAL.
    ///   - holds: From where on an existing slot holds WAL, as an ordinary connection tells it (before 15).
    ///   - mayMove: Whether a flush position may be reported: see ``FlushLimit``.
    init(
        _ wanted: BaseBackup.Slot, session: Session, identity: SystemIdentity, segmentSize: WALSegmentSize,
        holds: LSN?, mayMove: Bool, logger: Logger
    ) throws(UnderstudyError) {
        let version = session.serverVersion
        switch wanted {
        case .none: return
        case .temporary:
            guard version.hasTemporarySlots else { return }
            let name = "understudy_\(session.backendProcessID)"
            try Self.create(name, temporary: true, session)
            logger.info("created temporary replication slot \"\(name)\"")
            streamed = name
        case .existing(let name):
            try Self.requireSlots(version)
            // A slot that cannot be used shows now, not when the copy is on its way.
            let position = try Self.probe(name, session, identity, segmentSize) ?? holds
            permanent = name
            streamed = name
            if position == nil { try reserve(name, session, identity, segmentSize, mayMove: mayMove, logger) }
        case .create(let name), .createOrTakeOver(let name):
            try Self.requireSlots(version)
            permanent = name
            streamed = name
            do throws(UnderstudyError) {
                try Self.create(name, temporary: false, session)
            } catch  where error.sqlState == "42710" && wanted == .createOrTakeOver(name) {
                let position = try Self.probe(name, session, identity, segmentSize) ?? holds
                logger.notice("taking over replication slot \"\(name)\"")
                // It holds all that this run needs. If the run fails, it must still hold what it held before. The stream uses
                // it, so that nobody else does, but does not move it.
                if position != nil {
                    keepsPosition = true
                } else {
                    try reserve(name, session, identity, segmentSize, mayMove: mayMove, logger)
                }
                return
            }
            made = name
            logger.info("created replication slot \"\(name)\"")
            if !version.reservesWALOnSlotCreation {
                // 9.4 and 9.5 can only be told by a flush position, and commits may be waiting that must not return because of
                // it. None of them is before the first segment that a cluster has, and from there on the slot holds all.
                let lowest = LSN(rawValue: segmentSize.bytes)
                do throws(UnderstudyError) {
                    _ = try Self.probe(name, session, identity, segmentSize, reserving: lowest)
                } catch {
                    // Nobody else would know of it.
                    var failure = error
                    do throws(ConnectionError) {
                        _ = try session.runShielded(ReplicationCommand.dropSlot(name))
                    } catch {
                        failure.hint =
                            "The slot was made, and holds WAL on the primary until it is dropped there: \(SlotSQL.drop(name))"
                    }
                    throw failure
                }
            }
        }
    }

    /// Lets an existing slot hold WAL that, as far as can be told, holds none.
    private mutating func reserve(
        _ name: String, _ session: Session, _ identity: SystemIdentity, _ segmentSize: WALSegmentSize, mayMove: Bool,
        _ logger: Logger
    ) throws(UnderstudyError) {
        let isKnown = session.serverVersion.readsSlots
        guard mayMove else {
            mayHoldNothing = true
            logger.warning(
                """
                replication slot "\(name)" holds no WAL until the copy is complete\(isKnown ? "" : ", if it was never used"): \
                it would have to be told of flushed WAL, by which commits that wait for a synchronous standby could return
                """)
            return
        }
        // Before 15 nobody tells whether it holds some, which must not be let go.
        guard isKnown else { return }
        logger.notice(
            "replication slot \"\(name)\" held no WAL, because it was never used or was lost; it does from now on")
        _ = try Self.probe(
            name, session, identity, segmentSize, reserving: identity.position.segmentStart(segmentSize))
    }

    private static func requireSlots(_ version: ServerVersion) throws(UnderstudyError) {
        guard version.hasSlots else {
            throw UnderstudyError(
                .slot, "server version \(version) has no replication slots",
                hint: "Leave the slot out, and set wal_keep_segments on the primary high enough instead.")
        }
    }

    private static func create(_ name: String, temporary: Bool, _ session: Session) throws(UnderstudyError) {
        let command = ReplicationCommand.createSlot(
            name, temporary: temporary, reserveWAL: true, version: session.serverVersion)
        // Shielded: an interrupt between the command and its answer would leave a slot that nobody knows of.
        do throws(ConnectionError) { _ = try session.runShielded(command) } catch {
            var failure = UnderstudyError(error, of: .slot)
            failure.message = "could not create replication slot \"\(name)\": \(failure.message)"
            if error.code == .lost && !temporary {
                failure.hint =
                    "If it was made all the same, it holds WAL on the primary until it is dropped there: \(SlotSQL.drop(name))"
            }
            throw failure
        }
    }

    /// Streams for a moment from a slot: the server says whether it is physical, inactive, and its WAL still there.
    ///
    /// - Parameter reserving: Told as flushed, so that the slot holds the WAL from there on. Where it is invalid, the
    ///   slot stays as it is.
    /// - Returns: The position from which the slot held WAL, where the server tells it (from 15).
    private static func probe(
        _ name: String, _ session: Session, _ identity: SystemIdentity, _ segmentSize: WALSegmentSize,
        reserving: LSN = .invalid
    ) throws(UnderstudyError) -> LSN? {
        do throws(ConnectionError) {
            let position = session.serverVersion.readsSlots ? try readPosition(name, session) : nil
            try tell(
                name, session, flushed: reserving, from: identity.position.segmentStart(segmentSize),
                timeline: identity.timeline)
            return position
        } catch {
            var failure = UnderstudyError(error, of: .slot)
            failure.message = "cannot use replication slot \"\(name)\": \(failure.message)"
            if failure.hint == nil {
                failure.hint =
                    "Choose another name, or drop this slot on the primary: \(SlotSQL.drop(name))"
            }
            throw failure
        }
    }

    /// Streams for a moment from a slot, and tells it a flush position.
    private static func tell(
        _ name: String, _ session: Session, flushed: LSN, from start: LSN, timeline: TimelineID
    ) throws(ConnectionError) {
        try session.startReplication(slot: name, from: start, timeline: timeline)
        guard case .copyBoth = try session.nextResult() else {
            throw ConnectionError(.protocolViolation, "unexpected answer to START_REPLICATION")
        }
        try session.sendStatus(StandbyStatus(written: flushed, flushed: flushed))
        try session.endCopy()
        while try session.takeCopyData(failure: { $0 }, { _ throws(ConnectionError) in }) != .ended {}
        while try session.nextResult() != .none {}
    }

    /// Moves the permanent slot to the end of the backup, now that the copy is complete: it holds what a standby made of it
    /// needs. Where commits may be waiting, a slot that may hold nothing otherwise is moved, and one that was there before, if
    /// the copy stays: commits that return then are in it, and where a killed run had left that slot, the removal of that
    /// run's leftovers would take it along.
    ///
    /// - Parameters:
    ///   - isForGood: Whether the copy stays whatever happens.
    ///   - session: A connection that is idle.
    func moveToEnd(
        _ end: BackupPosition, segmentSize: WALSegmentSize, isForGood: Bool, logger: Logger,
        _ session: () throws(UnderstudyError) -> Session
    ) throws(UnderstudyError) {
        guard let permanent else { return }
        do throws(UnderstudyError) {
            let session = try session(), isNeeded = mayHoldNothing || (isForGood && made == nil)
            guard try isNeeded ? true : session.commitsWaitForNobody() else { return }
            do throws(ConnectionError) {
                try Self.tell(
                    permanent, session, flushed: end.lsn, from: end.lsn.segmentStart(segmentSize),
                    timeline: end.timeline)
            } catch { throw UnderstudyError(error, of: .slot) }
        } catch  where error.sqlState == "55006" {
            // A standby has it by now, and moves it.
        } catch  where error.code != .cancelled {
            logger.warning("could not move replication slot \"\(permanent)\" to \(end.lsn): \(error.message)")
        }
    }

    /// From 15 on the replication connection itself tells the slot's kind and position.
    private static func readPosition(_ name: String, _ session: Session) throws(ConnectionError) -> LSN? {
        let rows = try session.runForRows(ReplicationCommand.readSlot(name))
        let state: SlotState?
        do throws(ProtocolError) { state = try SlotState.decode(rows) } catch {
            throw ConnectionError(.protocolViolation, error.message)
        }
        guard let state else { return nil }
        if state.kind != "physical" { throw ConnectionError(.server, "it is a \(state.kind) slot, not a physical one") }
        return state.restartLSN
    }

    /// Makes sure that a slot which was taken over still holds its WAL; the stream did not move it (servers from 15).
    func checkHeld(_ session: Session) throws(UnderstudyError) {
        guard let permanent, keepsPosition, session.serverVersion.readsSlots else { return }
        let position: LSN?
        do throws(ConnectionError) { position = try Self.readPosition(permanent, session) } catch {
            throw UnderstudyError(error, of: .slot)
        }
        guard position == nil else { return }
        throw UnderstudyError(
            .slot, "replication slot \"\(permanent)\" lost its WAL during the backup",
            hint: "Raise max_slot_wal_keep_size on the primary, or use a new slot, which holds WAL from now on only.")
    }

    /// The server may need a moment to notice that our stream, which held the slot, has ended.
    ///
    /// - Parameter end: No attempt begins after it, and none takes longer.
    static func drop(_ name: String, _ session: Session, until end: ContinuousClock.Instant) throws(ConnectionError) {
        for attempt in 1...50 {
            do throws(ConnectionError) {
                _ = try session.runShielded(ReplicationCommand.dropSlot(name), until: end)
                return
            } catch  where error.sqlState == "55006" && attempt < 50 && ContinuousClock().now < end {
                session.pause(.milliseconds(100))
            }
        }
    }
}
