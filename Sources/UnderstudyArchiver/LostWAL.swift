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
        // The server's position was asked for before the stream began.
        var position = server.identity.position
        if let now = try? currentPosition(session, server) { position = now }
        let oldest = try? oldestAvailable(session, server, start, before: position)
        let end = oldest.map { "up to \($0)" } ?? "up to a position that the server does not tell"
        failure.detail =
            "WAL from \(start.lsn) \(end) (timeline \(start.timeline)) is not in the archive, and lost to it."
        let next = oldest ?? position.segmentStart(server.segmentSize)
        failure.hint =
            "Fetch it from another archive of this cluster. If there is none, take a new base backup and go on with --start-lsn=\(next)"
            + (slot == nil ? "; a replication slot keeps this from happening again." : ".")
        return failure
    }

    private static func currentPosition(_ session: Session, _ server: ServerFacts) throws -> LSN? {
        try end(of: session)
        let identity = try session.ask(ReplicationCommand.identifySystem) { rows throws(ProtocolError) in
            try SystemIdentity(rows)
        }
        return identity.timeline == server.identity.timeline ? identity.position : nil
    }

    /// The first segment from which the server streams, found by halving.
    private static func oldestAvailable(
        _ session: Session, _ server: ServerFacts, _ start: WALPosition, before position: LSN
    ) throws(ConnectionError) -> LSN? {
        try end(of: session)
        let size = server.segmentSize
        var missing = start.lsn.segmentNumber(size)
        var present = position.segmentNumber(size)
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
            try session.startReplication(slot: nil, from: position, timeline: timeline)
            guard case .copyBoth = try session.nextResult() else { return false }
            // The server looks for the file when it sends its first bytes.
            var step = try session.takeCopyData(failure: { $0 }, { _ throws(ConnectionError) in })
            if step == .data { try session.endCopy() }
            while step != .ended {
                step = try session.takeCopyData(failure: { $0 }, { _ throws(ConnectionError) in })
            }
            while try hasResult(session) {}
            return true
        } catch {
            guard error.code == .server else { throw error }
            try end(of: session)
            return false
        }
    }

    /// Takes what is left of a command that failed.
    private static func end(of session: Session) throws(ConnectionError) {
        while true {
            do throws(ConnectionError) {
                if try !hasResult(session) { return }
            } catch {
                guard error.code == .server else { throw error }
            }
        }
    }

    /// Takes a result; false when there is none left.
    private static func hasResult(_ session: Session) throws(ConnectionError) -> Bool {
        let reply = try session.nextResult()
        // libpq would return it again and again.
        if reply.isCopy { throw ConnectionError(.protocolViolation, "unexpected copy") }
        return reply != .none
    }
}
