import UnderstudyBackupFormat
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
    ///
    /// - Returns: The WAL that the backup needs, that of the latest timeline first.
    func checkTimeline(
        _ session: Session, from start: BackupPosition, to end: BackupPosition
    ) throws(UnderstudyError) -> [ManifestWALRange] {
        guard end.timeline != start.timeline else {
            return [ManifestWALRange(timeline: end.timeline, start.lsn..<end.lsn)]
        }
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
        var ranges: [ManifestWALRange] = [], from = start.lsn
        for ancestor in history.ancestors where ancestor.timeline >= start.timeline {
            ranges.append(ManifestWALRange(timeline: ancestor.timeline, from..<max(from, ancestor.switchLSN)))
            from = max(from, ancestor.switchLSN)
        }
        ranges.append(ManifestWALRange(timeline: end.timeline, from..<max(from, end.lsn)))
        return ranges.reversed()
    }

    private static func otherTimeline(
        _ start: BackupPosition, _ end: BackupPosition, _ reason: String
    ) -> UnderstudyError {
        UnderstudyError(
            .protocolViolation,
            "server began the backup on timeline \(start.timeline) and ended it on timeline \(end.timeline): \(reason)")
    }
}

extension ManifestWALRange {
    fileprivate init(timeline: TimelineID, _ range: Range<LSN>) {
        self.init(timeline: timeline.rawValue, start: "\(range.lowerBound)", end: "\(range.upperBound)")
    }
}
