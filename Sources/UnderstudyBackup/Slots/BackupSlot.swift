import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyWAL

/// The replication slot of a run: created or taken over; a created slot is dropped again if the run fails.
struct BackupSlot {
    /// The slot that outlives the run; nil for none.
    private(set) var permanent: String?
    /// The slot that the WAL stream uses, and advances unless ``keepsPosition``; nil for none.
    private(set) var streamed: String?
    /// Whether the stream leaves the slot's position unchanged.
    private(set) var keepsPosition = false
    /// A permanent slot that this run created.
    private(set) var made: String?
    /// That it was created, for the log when the stream begins: that is where the stock tool says so.
    private(set) var announcement: String?
    /// Whether the permanent slot may hold no WAL: as far as known it was never used, and it could not be moved.
    private var mayHoldNothing = false

    /// Provides the slot over the connection that will stream the WAL.
    ///
    /// - Parameters:
    ///   - identity: The server and its current position.
    ///   - segmentSize: The server's WAL segment size.
    ///   - holds: The position from which an existing slot holds WAL, read over an ordinary connection (before 15).
    ///   - mayMove: Whether a flush position may be reported: see ``FlushLimit``.
    init(
        _ wanted: ReplicationSlot, temporaryPrefix: String, session: Session, identity: SystemIdentity,
        segmentSize: WALSegmentSize,
        holds: LSN?, mayMove: Bool, logger: Logger
    ) throws(UnderstudyError) {
        let version = session.serverVersion
        switch wanted {
        case .none: return
        case .temporary:
            guard version.hasTemporarySlots else { return }
            let name = "\(temporaryPrefix)_\(session.backendProcessID)"
            try session.makeSlot(name, temporary: true, reserveWAL: true)
            announcement = "created temporary replication slot \"\(name)\""
            streamed = name
        case .existing(let name):
            try version.requireSlots()
            // An unusable slot is refused here, not during the copy.
            let position = try Self.probe(name, session, identity, segmentSize) ?? holds
            permanent = name
            streamed = name
            if position == nil { try reserve(name, session, identity, segmentSize, mayMove: mayMove, logger) }
        case .create(let name), .createIfMissing(let name):
            try version.requireSlots()
            permanent = name
            streamed = name
            guard try Self.make(name, unlessThere: wanted == .createIfMissing(name), session) else {
                let position = try Self.probe(name, session, identity, segmentSize) ?? holds
                logger.notice("taking over replication slot \"\(name)\"")
                // The slot holds all WAL that this run needs. If the run fails, it must still hold what it held before,
                // so the stream uses the slot, to keep others from it, but does not advance it.
                if position != nil {
                    keepsPosition = true
                } else {
                    try reserve(name, session, identity, segmentSize, mayMove: mayMove, logger)
                }
                return
            }
            made = name
            announcement = "created replication slot \"\(name)\""
            if !version.reservesWALOnSlotCreation {
                // 9.4 and 9.5 reserve WAL only for a reported flush position, and commits may be waiting that must not
                // return because of it. None of them is before the first segment of a cluster, and from there on the
                // slot holds all WAL.
                let lowest = LSN(rawValue: segmentSize.bytes)
                do throws(UnderstudyError) {
                    _ = try Self.probe(name, session, identity, segmentSize, reserving: lowest)
                } catch {
                    // Nobody else would know of the slot.
                    var failure = error
                    do throws(ConnectionError) {
                        try session.dropSlot(name)
                    } catch {
                        failure.hint =
                            "The slot was made, and holds WAL on the primary until it is dropped there: \(SlotSQL.drop(name))"
                    }
                    throw failure
                }
            }
        }
    }

    /// Creates a permanent slot.
    ///
    /// - Parameter unlessThere: Whether one that exists is no error.
    /// - Returns: Whether it was created.
    private static func make(_ name: String, unlessThere: Bool, _ session: Session) throws(UnderstudyError) -> Bool {
        // Where that can be known before, no refusal is left in the server's log.
        if unlessThere, session.serverVersion.readsSlots, try SlotReading.read(name, session) != nil { return false }
        do throws(UnderstudyError) {
            try session.makeSlot(name, temporary: false, reserveWAL: true)
            return true
        } catch  where error.sqlState == "42710" && unlessThere { return false }
    }

    /// Makes an existing slot hold WAL if, as far as known, it holds none.
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
        // Before 15 it is unknown whether the slot already holds WAL, which must not be released.
        guard isKnown else { return }
        logger.notice(
            "replication slot \"\(name)\" held no WAL, because it was never used or was lost; it does from now on")
        _ = try Self.probe(
            name, session, identity, segmentSize, reserving: identity.position.segmentStart(segmentSize))
    }

    /// Streams briefly from a slot: the server checks that it is physical, inactive, and its WAL still there.
    ///
    /// - Parameter reserving: Reported as flushed, so that the slot holds the WAL from there on. If invalid, the slot
    ///   is unchanged.
    /// - Returns: The position from which the slot held WAL, if the server reports it (from 15).
    private static func probe(
        _ name: String, _ session: Session, _ identity: SystemIdentity, _ segmentSize: WALSegmentSize,
        reserving: LSN = .invalid
    ) throws(UnderstudyError) -> LSN? {
        let position = session.serverVersion.readsSlots ? try readPosition(name, session) : nil
        do throws(ConnectionError) {
            try session.reportFlush(
                reserving, slot: name, from: identity.position.segmentStart(segmentSize),
                timeline: identity.timeline)
            return position
        } catch {
            if error.sqlState == "55000", KnownText.logicalSlot.stands(in: error.message) {
                throw .notPhysical(slot: name)
            }
            var failure = UnderstudyError(error, of: .slot, slot: name)
            failure.message = "cannot use replication slot \"\(name)\": \(failure.message)"
            failure.command = "START_REPLICATION"
            if failure.hint == nil {
                failure.hint =
                    "Choose another name, or drop this slot on the primary: \(SlotSQL.drop(name))"
            }
            throw failure
        }
    }

    /// Moves the permanent slot to the end of the backup once the copy is complete: from there on it holds what a
    /// standby made of the copy needs.
    ///
    /// If commits may be waiting for a standby, only two slots are moved: one that may hold no WAL otherwise, and one
    /// that existed before, if the copy stays. Commits that return then are in the copy, and if a killed run left that
    /// slot, moving it keeps the removal of that run's leftovers from dropping it.
    ///
    /// - Parameters:
    ///   - isForGood: Whether the copy stays in any case.
    ///   - session: Returns an idle connection.
    func moveToEnd(
        _ end: BackupPosition, segmentSize: WALSegmentSize, isForGood: Bool, logger: Logger,
        _ session: () throws(UnderstudyError) -> Session
    ) throws(UnderstudyError) {
        guard let permanent else { return }
        do throws(UnderstudyError) {
            let session = try session(), isNeeded = mayHoldNothing || (isForGood && made == nil)
            guard try isNeeded ? true : session.commitsWaitForNobody() else { return }
            do throws(ConnectionError) {
                try session.reportFlush(
                    end.lsn, slot: permanent, from: end.lsn.segmentStart(segmentSize),
                    timeline: end.timeline)
            } catch { throw UnderstudyError(error, of: .slot) }
        } catch  where error.sqlState == "55006" {
            // A standby already uses the slot, and moves it.
        } catch  where error.code != .cancelled {
            logger.warning("could not move replication slot \"\(permanent)\" to \(end.lsn): \(error.message)")
        }
    }

    /// Reads the slot's position over the replication connection (servers from 15). Throws unless the slot is physical.
    private static func readPosition(_ name: String, _ session: Session) throws(UnderstudyError) -> LSN? {
        guard let state = try SlotReading.read(name, session) else { return nil }
        if state.kind != "physical" { throw .notPhysical(slot: name, kind: state.kind) }
        return state.restartLSN
    }

    /// Checks that a slot that was taken over still holds its WAL; the stream did not move it (servers from 15).
    func checkHeld(_ session: Session) throws(UnderstudyError) {
        guard let permanent, keepsPosition, session.serverVersion.readsSlots else { return }
        guard try Self.readPosition(permanent, session) == nil else { return }
        throw UnderstudyError(
            .slot, "replication slot \"\(permanent)\" lost its WAL during the backup",
            hint: "Raise max_slot_wal_keep_size on the primary, or use a new slot, which holds WAL from now on only.")
    }
}
