import Logging
import UnderstudyConnection
package import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyWAL

/// Detects a slot that the server has invalidated, before or during the backup.
extension BackupRun {
    /// Refuses an existing slot that was invalidated and holds no WAL. Logs a warning if that cannot be determined.
    ///
    /// - Returns: The position from which the slot holds WAL; nil if it holds none or the position is unknown.
    func checkHolds(_ session: Session) throws(UnderstudyError) -> LSN? {
        let name: String
        switch wantedSlot {
        case .existing(let wanted), .createIfMissing(let wanted): name = wanted
        case .none, .temporary, .create: return nil
        }
        guard session.serverVersion.invalidatesSlots else { return nil }
        let reading = try SlotReading.take(name, session, parameters, interrupt, access: queryAccess)
        if let invalidation = reading.invalidation {
            throw UnderstudyError(
                .slotInvalidated,
                "cannot use replication slot \"\(name)\": it was invalidated by the server"
                    + (invalidation.reason.map { " (\($0))" } ?? ""),
                hint:
                    "It holds no WAL any more. Choose another name, or drop this slot on the primary, and let it be made: \(SlotSQL.drop(name))"
            )
        }
        if reading.isUncertain {
            logger.warning(
                "a replication connection does not tell whether the server has invalidated replication slot \"\(name)\"",
                metadata: [
                    "hint":
                        "Look on the primary: SELECT wal_status FROM pg_replication_slots WHERE slot_name = \(SQLText.literal(name));"
                ])
        }
        return reading.state?.restartLSN
    }

    /// Explains an error that comes from an invalidated slot: the server ends the slot's WAL sender as an administrator
    /// does, and may not get to report why.
    func explainingLostSlot(_ error: UnderstudyError) -> UnderstudyError {
        let isLost = error.sqlState == "57P01" || (error.sqlState == nil && error.code == .connection)
        guard isLost, let slot, let name = slot.streamed else { return error }
        var explained = error
        let interrupt = Interrupt()
        let found = InvalidatedSlot.find(name, parameters, interrupt) { session throws(UnderstudyError) in
            try SlotReading.take(
                name, session, parameters, interrupt, heldWAL: slot.made == name, asksAlways: true, access: queryAccess)
        }
        if let found {
            explained.code = .slotInvalidated
            explained.detail =
                "The server has invalidated replication slot \"\(name)\"" + (found.reason.map { " (\($0))." } ?? ".")
            explained.hint = Self.raiseLimit
        } else if slot.permanent == nil, error.sqlState != nil {
            explained.hint =
                "An administrator ended this connection or stopped the server, or it invalidated the temporary replication slot; its log tells which. If it was the slot: \(Self.raiseLimit)"
        }
        return explained
    }

    private static let raiseLimit =
        "Raise max_slot_wal_keep_size on the primary, or take the backup when it writes less WAL, and try again."

    /// Keeps a complete backup and moves its slot to its end. For a caller that could have removed the backup.
    package func keep() throws(UnderstudyError) {
        try moveSlotToEnd(nil, isForGood: true)
    }

    func moveSlotToEnd(_ session: Session?, isForGood: Bool) throws(UnderstudyError) {
        guard let slot, slot.permanent != nil, let (end, server) = completed else { return }
        try slot.moveToEnd(end, segmentSize: server.segmentSize, isForGood: isForGood, logger: logger) {
            () throws(UnderstudyError) in
            if let session { return session }
            // A short limit, so that a problem of the standby is reported soon.
            return try connect(silenceLimit: .seconds(10))
        }
    }
}
