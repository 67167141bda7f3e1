import UnderstudyConnection
import UnderstudyCore
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

/// Explains which WAL the server has removed before the archive had it, and what to do.
enum LostWAL {
    /// Adds that to an error, if it says that WAL was removed.
    ///
    /// - Parameters:
    ///   - session: The session as the failed stream left it; it may not be usable.
    ///   - history: The history of the server's timeline, if it is known.
    ///   - start: The start of the segment in which the stream began, or which it has reached.
    ///   - held: The end of the archive, if it is known: a partial segment holds WAL after its start.
    static func explain(
        _ error: UnderstudyError, _ session: Session, _ server: ServerFacts, _ history: [UInt8]?, _ start: WALPosition,
        slot: ArchiverSlot, held: WALPosition? = nil
    ) throws(UnderstudyError) -> UnderstudyError {
        guard error.sqlState == "58P01" || KnownText.removedWAL.stands(in: error.message) else { return error }
        var failure = error
        failure.code = .wal
        let available = AvailableWAL(session: session, server: server, history: history)
        let oldest = try? available.oldest(from: start)
        let range = MissingWAL(
            from: held.map { $0.lsn > start.lsn ? $0 : start } ?? start, to: oldest,
            history: .of(server.identity, history))
        failure.detail = "\(range) is not in the archive, and lost to it."
        // If that is unknown, use the server's position from before the stream began.
        let next = oldest?.lsn ?? server.identity.position.segmentStart(server.segmentSize)
        if slot.isUncertain, let name = slot.name {
            failure.remedy =
                "Fetch it from another archive of this cluster. If there is none, take a new base backup and go on with \(.recreateSlot(name)), which makes the slot anew and notes the gap."
            return failure
        }
        failure.remedy =
            "Fetch it from another archive of this cluster. If there is none, take a new base backup and go on with \(.startLSN(next))\(slot.name == nil ? "; a replication slot keeps this from happening again." : ".")"
        return failure
    }
}
