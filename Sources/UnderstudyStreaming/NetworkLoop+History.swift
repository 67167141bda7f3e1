import UnderstudyConnection
import UnderstudyProtocol
import UnderstudyWAL

extension NetworkLoop {
    /// Throws after too many empty timelines in a row. A server that is promoted and crashes before it writes WAL
    /// leaves one; more than a few in a row are no accident, and each leaves a history file.
    mutating func checkTimeline(_ left: TimelineID, from begin: LSN) throws(ReceiveError) {
        emptyTimelines = machine.received == begin ? emptyTimelines + 1 : 0
        guard emptyTimelines > Self.mostEmptyTimelines else { return }
        throw ReceiveError(
            .protocolViolation,
            "server ended timeline \(left) at \(begin), and \(Self.mostEmptyTimelines) timelines before it there too, without any WAL"
        )
    }

    private static let mostEmptyTimelines = 32

    /// Stores the history file of the next timeline. A restore relies on it, so it must contain the switch that the
    /// server has just made.
    mutating func putHistory(_ next: NextTimeline, after left: TimelineID) throws(ReceiveError) {
        let content = try connecting { () throws(ConnectionError) in try session.history(of: next.timeline) }
        let history: TimelineHistory
        do throws(TimelineHistoryError) {
            history = try TimelineHistory(parsing: content, of: next.timeline)
        } catch { throw ReceiveError(.protocolViolation, error.message) }
        guard history.switchLSN(of: left) == next.position else {
            throw ReceiveError(
                .protocolViolation,
                "history file \"\(next.timeline.historyFileName)\" does not record the end of timeline \(left) at \(next.position)"
            )
        }
        // A server may switch timelines faster than the disk stores their history files.
        while !writer.awaitHistories(timeout: .seconds(1)) {
            try noteReport()
            if session.isInterrupted { throw ReceiveError(ConnectionError(.interrupted, "interrupted")) }
        }
        writer.putHistory(next.timeline, content)
    }
}
