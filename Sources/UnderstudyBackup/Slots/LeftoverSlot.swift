import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyWAL

/// A replication slot that an earlier run created before it was killed. By now a standby unrelated to that run may use
/// it, so it is dropped only while it is where that run left it.
struct LeftoverSlot {
    /// The slot's current state on the server.
    struct Standing: Equatable {
        var isActive = false
        /// nil if it holds no WAL.
        var position: LSN?
    }

    /// Its position when the run began; nil if unknown.
    var noted: LSN?
    /// The end of the WAL that the run wrote; nil if there is none.
    var end: LSN?

    static let inUse = "it is in use"
    static let mayBeTakenOver = "another base backup is under way on the server, and may have taken it over"

    /// Why the slot must be kept; nil if it is as the run left it, and not in use.
    func reasonToKeep(_ standing: Standing) -> String? {
        guard let noted else { return "where it stood when that base backup began is not known" }
        guard let position = standing.position else { return "it holds no WAL, so it cannot be told whose it is" }
        let end = max(noted, self.end ?? noted)
        guard noted <= position && position <= end else {
            return "it holds WAL from \(position) on, and that base backup has left it between \(noted) and \(end)"
        }
        return standing.isActive ? Self.inUse : nil
    }
}

extension BackupRun {
    /// The record in the mark for a slot that was just created.
    ///
    /// - Parameter session: An idle connection.
    func leftSlot(_ name: String, _ session: Session, _ server: ServerFacts) -> UnfinishedRecord.Slot {
        // Without the position, the slot would be kept forever if this process is killed. An interrupted run drops it
        // itself.
        let standing = try? standing(of: name, session, interrupt: interrupt)
        return .init(
            name: name, systemIdentifier: server.identity.systemIdentifier,
            position: standing?.position?.rawValue)
    }

    /// Drops the slot of an earlier run if this server has it and it is as that run left it. Otherwise logs the command
    /// that drops it.
    func dropSlot(
        of left: LeftoverBackup, _ session: Session, _ server: ServerFacts
    ) throws(UnderstudyError) {
        guard let slot = left.slot else { return }
        guard slot.systemIdentifier == server.identity.systemIdentifier else {
            logger.warning(
                "the unfinished base backup is of another server, where replication slot \"\(slot.name)\" holds WAL until it is dropped: \(SlotSQL.drop(slot.name))"
            )
            return
        }
        let found = LeftoverSlot(
            noted: slot.position.map { LSN(rawValue: $0) }, end: left.endOfWAL(server.segmentSize))
        let reason: String?
        do throws(ConnectionError) { reason = try drop(slot.name, found, session) } catch {
            if error.code == .interrupted { throw UnderstudyError(error) }
            return keep(slot.name, "the server could not be asked about it: \(error.message)")
        }
        if let reason { keep(slot.name, reason) }
    }

    private func keep(_ name: String, _ reason: String) {
        guard reason != LeftoverSlot.inUse else {
            logger.warning(
                "replication slot \"\(name)\" of the unfinished base backup is kept: \(reason)",
                metadata: ["hint": "It serves somebody else by now, or that base backup is still running."])
            return
        }
        logger.warning(
            "replication slot \"\(name)\" of the unfinished base backup is kept: \(reason); if nobody needs it, drop it on the primary: \(SlotSQL.drop(name))"
        )
    }

    /// - Returns: Why the slot is kept; nil if it is gone.
    private func drop(_ name: String, _ found: LeftoverSlot, _ session: Session) throws(ConnectionError) -> String? {
        // A backup that has taken the slot over does not use it before the server has made its checkpoint.
        let ordinary = try? OrdinaryConnection.open(parameters, interrupt, queryAccess)
        var isBackupUnderWay = false
        // The server may need a moment to notice that the process that streamed from it is gone.
        for attempt in 1...50 {
            guard
                let standing = try standing(of: name, session, interrupt: interrupt)
            else { return nil }
            var idle = standing
            idle.isActive = false
            if let reason = found.reasonToKeep(idle) { return reason }
            isBackupUnderWay = ordinary.map { Self.sendsBackup($0) } ?? false
            if !standing.isActive && !isBackupUnderWay {
                do throws(ConnectionError) {
                    // A server does not drop a slot in use.
                    try session.dropSlot(name)
                    logger.notice("dropped replication slot \"\(name)\" of the unfinished base backup")
                    return nil
                } catch  where error.sqlState == "42704" {
                    return nil
                } catch  where error.sqlState == "55006" {}
            }
            if attempt < 50 { session.pause(.milliseconds(100)) }
        }
        return isBackupUnderWay ? LeftoverSlot.mayBeTakenOver : LeftoverSlot.inUse
    }

    /// Whether the server is sending a base backup to any client; false if unknown.
    private static func sendsBackup(_ ordinary: Session) -> Bool {
        let rows = try? ordinary.runForRows(
            "SELECT 1 FROM pg_catalog.pg_stat_replication WHERE state = 'backup' LIMIT 1")
        return rows?.rows.isEmpty == false
    }

    /// The current state of a slot; nil if none has that name. Whether it is in use is known only before 15.
    private func standing(
        of name: String, _ session: Session, interrupt: Interrupt
    ) throws(ConnectionError) -> LeftoverSlot.Standing? {
        if session.serverVersion.readsSlots {
            return try session.answer(to: .readSlot(name), isShielded: true).map {
                LeftoverSlot.Standing(position: $0.restartLSN)
            }
        }
        // Only an ordinary connection can read the slot, and the role may be allowed none.
        let ordinary = try OrdinaryConnection.open(parameters, interrupt, queryAccess)
        let rows = try ordinary.runForRows(
            "SELECT active, restart_lsn FROM pg_catalog.pg_replication_slots WHERE slot_name = \(SQLText.literal(name))"
        )
        guard let row = rows.rows.first, row.count == 2 else { return nil }
        return LeftoverSlot.Standing(isActive: row[0] != "f", position: row[1].flatMap { LSN($0) })
    }
}
