import UnderstudyConnection
import UnderstudyProtocol
import UnderstudyReceiver
import UnderstudySource
import UnderstudyWAL

/// The server has removed WAL that the archive lacks: says which, and what to do.
enum LostWAL {
    /// - Parameter session: As the failed stream left it; it may be of no more use.
    static func explain(
        _ error: UnderstudyError, _ session: Session, _ server: ServerFacts, _ start: WALPosition, slot: String?
    ) throws(UnderstudyError) -> UnderstudyError {
        guard error.sqlState == "58P01" || error.message.contains("has already been removed") else { return error }
        var failure = error
        failure.code = .wal
        let oldest = try? oldestAvailable(session, server, start)
        let end = oldest.map { "up to \($0)" } ?? "up to a position that the server does not tell"
        failure.detail =
            "WAL from \(start.lsn) \(end) (timeline \(start.timeline)) is not in the archive, and lost to it."
        failure.hint =
            "Fetch it from another archive of this cluster if there is one. If not, what was archived before cannot be used beyond \(start.lsn): take a new base backup, and go on with --start-lsn=\(oldest ?? server.identity.position)"
            + (slot == nil ? ", and a replication slot, so that it does not happen again." : ".")
        return failure
    }

    /// The first segment from which the server streams, found by halving.
    private static func oldestAvailable(
        _ session: Session, _ server: ServerFacts, _ start: WALPosition
    ) throws(ConnectionError) -> LSN? {
        let size = server.segmentSize
        var missing = start.lsn.segmentNumber(size)
        var present = server.identity.position.segmentNumber(size)
        guard present > missing, start.timeline == server.identity.timeline else { return nil }
        while present - missing > 1 {
            let middle = missing + (present - missing) / 2
            if try streams(session, LSN(rawValue: middle * size.bytes), start.timeline) {
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
        do throws(ConnectionError) {
            try session.send(ReplicationCommand.startReplication(slot: nil, from: position, timeline: timeline))
            guard case .copyBoth = try session.nextResult() else { return false }
            // The server looks for the file when it sends its first bytes.
            var step = try session.takeCopyData(failure: { $0 }, { _ throws(ConnectionError) in })
            if step == .data { try session.endCopy() }
            while step != .ended {
                step = try session.takeCopyData(failure: { $0 }, { _ throws(ConnectionError) in })
            }
            try takeRest(session)
            return true
        } catch {
            guard error.code == .server else { throw error }
            try takeRest(session)
            return false
        }
    }

    private static func takeRest(_ session: Session) throws(ConnectionError) {
        while case let reply = try session.nextResult(), reply != .none {
            // libpq would return it again and again.
            if reply.isCopy { throw ConnectionError(.protocolViolation, "unexpected copy") }
        }
    }
}
