import UnderstudyCore
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

/// Describes a range of WAL that an archive lacks. Pure.
struct MissingWAL: Equatable, CustomStringConvertible {
    let start: LSN
    /// nil if it is not known.
    let end: LSN?
    /// The timelines of its first and its last byte.
    let timelines: ClosedRange<TimelineID>

    /// - Parameter history: The history of the server's timeline: WAL after a fork is on the timeline that begins
    ///   there, whichever timeline the files before it are on. nil if it is not known.
    init(from start: WALPosition, to end: WALPosition?, history: TimelineHistory?) {
        self.start = start.lsn
        self.end = end?.lsn
        let first = history?.timeline(of: start.lsn) ?? start.timeline
        var last = first
        if let end, end.lsn > start.lsn {
            last = history?.timeline(of: LSN(rawValue: end.lsn.rawValue - 1)) ?? end.timeline
        }
        timelines = first...max(first, last)
    }

    var description: String {
        let end = end.map { "up to \($0)" } ?? "up to a position that the server does not tell"
        let timeline =
            timelines.lowerBound == timelines.upperBound
            ? "timeline \(timelines.lowerBound)" : "timelines \(timelines.lowerBound) to \(timelines.upperBound)"
        return "WAL from \(start) \(end) (\(timeline))"
    }
}

extension TimelineHistory {
    /// The history of a server's timeline; nil if the server does not have it.
    static func of(_ server: SystemIdentity, _ bytes: [UInt8]?) -> TimelineHistory? {
        guard let bytes else { return server.timeline.rawValue == 1 ? TimelineHistory(root: server.timeline) : nil }
        return try? TimelineHistory(parsing: bytes, of: server.timeline)
    }
}

extension WALHoldings {
    /// The end of the archive, at or after the position where the stream continues: a partial segment may hold some
    /// more.
    func heldEnd(from start: WALPosition, _ history: TimelineHistory?) -> WALPosition {
        guard let end, end.lsn > start.lsn else { return start }
        return WALPosition(timeline: history?.timeline(of: end.lsn) ?? end.timeline, lsn: end.lsn)
    }

    /// The gap that was recorded at the end of the archive: the run that recorded it wrote nothing after it.
    func gapAtEnd(_ size: WALSegmentSize, _ history: TimelineHistory?) -> WALGap? {
        guard let next else { return nil }
        let held = heldEnd(from: next, history).lsn
        return gaps.first { $0.start.lsn == held || $0.start.lsn.segmentStart(size) == next.lsn }
    }
}
