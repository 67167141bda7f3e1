import UnderstudyProtocol
package import UnderstudyWAL

extension Session {
    /// The content of a timeline's history file: TIMELINE_HISTORY.
    package func history(of timeline: TimelineID) throws(ConnectionError) -> [UInt8] {
        let row = try runForBytes(ReplicationCommand.timelineHistory(timeline))
        guard row.count >= 2, row[0] == Array(timeline.historyFileName.utf8), let content = row[1] else {
            throw ConnectionError(.protocolViolation, "unexpected answer to TIMELINE_HISTORY \(timeline)")
        }
        guard content.count <= TimelineHistory.longestFile else {
            throw ConnectionError(
                .protocolViolation,
                "server sent history file \"\(timeline.historyFileName)\" with \(content.count) bytes, which are more than \(TimelineHistory.longestFile)"
            )
        }
        return content
    }
}
