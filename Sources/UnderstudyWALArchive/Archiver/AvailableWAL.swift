import UnderstudyConnection
import UnderstudyCore
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

/// Finds out which WAL a server still has, by trying to stream it without a slot.
struct AvailableWAL {
    /// Ready for a command, or as a failed stream has left it.
    let session: Session
    let server: ServerFacts
    /// The history of the server's timeline; nil if it is not known.
    let history: [UInt8]?

    /// The first segment's start, at or after a position, from which the server has all WAL; found by bisection.
    ///
    /// - Parameter start: A segment's start.
    /// - Returns: `start` itself if nothing is missing; nil if that cannot be determined.
    func oldest(from start: WALPosition) throws(ConnectionError) -> WALPosition? {
        try session.endCommand()
        // The known position is older than the stream, so ask again.
        let position = (try? currentPosition()) ?? server.identity.position
        let size = server.segmentSize
        // WAL that is not written yet cannot be missing.
        if start.lsn >= position { return start }
        if try streams(start) { return start }
        // Positions on a timeline outside the server's history cannot be compared.
        guard start.timeline == timeline(at: start.lsn) else { return nil }
        var missing = start.lsn.segmentNumber(size)
        var present = position.segmentNumber(size)
        guard present > missing else { return nil }
        while present - missing > 1 {
            let middle = missing + (present - missing) / 2
            if try streams(self.position(middle)) { present = middle } else { missing = middle }
        }
        return self.position(present)
    }

    private func position(_ segment: UInt64) -> WALPosition {
        let lsn = LSN(rawValue: segment * server.segmentSize.bytes)
        return WALPosition(timeline: timeline(at: lsn), lsn: lsn)
    }

    private func timeline(at lsn: LSN) -> TimelineID {
        let past = history.flatMap { try? TimelineHistory(parsing: $0, of: server.identity.timeline) }
        return past?.timeline(of: lsn) ?? server.identity.timeline
    }

    private func currentPosition() throws -> LSN? {
        let identity = try session.ask(.identifySystem)
        return identity.timeline == server.identity.timeline ? identity.position : nil
    }

    /// Whether the server can stream from a position: it opens the file when it sends its first bytes.
    private func streams(_ position: WALPosition) throws(ConnectionError) -> Bool {
        if case .bytes = try session.sample(position.lsn, on: position.timeline, count: 1) { return true }
        return false
    }
}
