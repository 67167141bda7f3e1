import UnderstudyConnection
import UnderstudyCore
import UnderstudyProtocol
import UnderstudyWAL

/// Checks the timeline on which a backup ends.
extension BackupRun {
    /// Throws unless the start's timeline leads to the end's.
    ///
    /// A primary ends a backup on the timeline of its start, and a standby that is promoted meanwhile fails the backup.
    /// Only a standby that follows another server to a new timeline ends the backup on that one. Then the timeline's
    /// history must show a switch between start and end, and the received WAL must include it.
    func checkTimeline(
        _ session: Session, from start: BackupPosition, to end: BackupPosition
    ) throws(UnderstudyError) {
        guard end.timeline != start.timeline else { return }
        let kept = options.wal == .none ? nil : try target.history(of: end.timeline)
        let bytes: [UInt8]
        do throws(ConnectionError) {
            bytes = if let kept { kept } else { try session.history(of: end.timeline) }
        } catch { throw Self.otherTimeline(start, end, error.message) }
        let history: TimelineHistory
        do throws(TimelineHistoryError) { history = try TimelineHistory(parsing: bytes, of: end.timeline) } catch {
            throw Self.otherTimeline(start, end, error.message)
        }
        guard let fork = history.switchLSN(of: start.timeline), fork >= start.lsn, fork <= end.lsn else {
            throw Self.otherTimeline(start, end, "its history does not lead there from the start")
        }
        // The history arrives with WAL of the new timeline; without such WAL, none is needed.
        guard kept != nil || options.wal == .none || fork == end.lsn else {
            throw Self.otherTimeline(start, end, "no WAL of it came")
        }
    }

    private static func otherTimeline(
        _ start: BackupPosition, _ end: BackupPosition, _ reason: String
    ) -> UnderstudyError {
        UnderstudyError(
            .protocolViolation,
            "server began the backup on timeline \(start.timeline) and ended it on timeline \(end.timeline): \(reason)")
    }
}
