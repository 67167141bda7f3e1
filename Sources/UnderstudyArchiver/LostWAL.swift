import UnderstudyConnection
import UnderstudyProtocol
import UnderstudyReceiver
import UnderstudySource
import UnderstudyWAL

/// The server has removed WAL that the archive lacks: says which, and what to do.
enum LostWAL {
    /// - Parameters:
    ///   - session: As the failed stream left it; it may be of no more use.
    ///   - history: Of the server's timeline, where it is known.
    ///   - held: How far the archive goes, where that is known: a partial segment holds something behind its start.
    static func explain(
        _ error: UnderstudyError, _ session: Session, _ server: ServerFacts, _ start: WALPosition, slot: String?,
        history: TimelineHistory? = nil, held: LSN? = nil
    ) throws(UnderstudyError) -> UnderstudyError {
        guard error.sqlState == "58P01" || error.message.contains("has already been removed") else { return error }
        var failure = error
        failure.code = .wal
        // The server's position was asked for before the stream began.
        var position = server.identity.position
        if let now = try? currentPosition(session, server) { position = now }
        let oldest = try? oldestAvailable(session, server, start, before: position, history)
        let end = oldest.map { "up to \($0)" } ?? "up to a position that the server does not tell"
        failure.detail =
            "WAL from \(max(start.lsn, held ?? start.lsn)) \(end) (timeline \(start.timeline)) is not in the archive, and lost to it."
        let next = oldest ?? position.segmentStart(server.segmentSize)
        failure.hint =
            "Fetch it from another archive of this cluster. If there is none, take a new base backup and go on with --start-lsn=\(next)"
            + (slot == nil ? "; a replication slot keeps this from happening again." : ".")
        return failure
    }

    private static func currentPosition(_ session: Session, _ server: ServerFacts) throws -> LSN? {
        try session.endCommand()
        let identity = try session.ask(ReplicationCommand.identifySystem) { rows throws(ProtocolError) in
            try SystemIdentity(rows)
        }
        return identity.timeline == server.identity.timeline ? identity.position : nil
    }

    /// The first segment from which the server streams, found by halving.
    private static func oldestAvailable(
        _ session: Session, _ server: ServerFacts, _ start: WALPosition, before position: LSN,
        _ history: TimelineHistory?
    ) throws(ConnectionError) -> LSN? {
        try session.endCommand()
        let size = server.segmentSize
        var missing = start.lsn.segmentNumber(size)
        var present = position.segmentNumber(size)
        guard present > missing, history != nil || start.timeline == server.identity.timeline else { return nil }
        while present - missing > 1 {
            let middle = missing + (present - missing) / 2
            let lsn = LSN(rawValue: middle * size.bytes)
            if try streams(session, lsn, history?.timeline(of: lsn) ?? start.timeline) {
                present = middle
            } else {
                missing = middle
            }
        }
        return LSN(rawValue: present * size.bytes)
    }

    private static func streams(_ session: Session, _ position: LSN, _ timeline: TimelineID) throws(ConnectionError)
        -> Bool
    {
        // The server looks for the file when it sends its first bytes.
        if case .bytes = try session.sample(position, on: timeline, count: 1) { return true }
        return false
    }
}
