import UnderstudyStreaming
import UnderstudyWAL

/// What is missing between the segments of an archive, and before where its stream goes on.
struct ArchiveGaps {
    /// Oldest first.
    private(set) var ranges: [WALGap] = []

    /// - Parameters:
    ///   - files: Those of other timelines than the history has, or that are not of its past, do not count.
    ///   - next: Where the stream goes on.
    ///   - held: Where the WAL ends that a file holds; nil if it holds none. Asked of files that are not complete, and only
    ///     where something is missing behind them.
    init(
        of files: [ArchivedSegment], before next: WALPosition, history: TimelineHistory?,
        held: (ArchivedSegment) throws(WALDestinationError) -> LSN?
    ) throws(WALDestinationError) {
        let size = files.first?.segment.size ?? .default
        var complete: Set<UInt64> = []
        // Files that hold the beginning of a segment, and up to where they are of the past.
        var parts: [UInt64: [(file: ArchivedSegment, limit: LSN)]] = [:]
        for file in files where file.segment.startLSN < next.lsn {
            let segment = file.segment
            switch history.map({ file.relation(to: $0) }) ?? .past {
            case .past where !file.isPartial: complete.insert(segment.number)
            case .past: parts[segment.number, default: []].append((file, segment.endLSN))
            case .pastUpTo(let fork): parts[segment.number, default: []].append((file, fork))
            case .diverged, .future: break
            }
        }
        /// The end of what is held of a segment that is not complete.
        func end(of number: UInt64) throws(WALDestinationError) -> LSN? {
            var end: LSN?
            for (file, limit) in parts[number] ?? [] {
                if let found = try held(file) { end = max(end ?? .invalid, min(found, limit)) }
            }
            return end
        }
        func isGap(_ start: LSN, _ end: UInt64) -> Bool { start.rawValue < end * size.bytes }
        func position(_ lsn: LSN) -> WALPosition {
            WALPosition(timeline: history?.timeline(of: lsn) ?? next.timeline, lsn: lsn)
        }
        let last = next.lsn.segmentNumber(size)
        var first = complete.min() ?? last
        // An archive may begin with a segment that is not complete.
        for number in parts.keys.sorted() where number < first {
            if try end(of: number) != nil { first = number }
        }
        var expected = first
        for number in complete.sorted() + [last] {
            if number > expected {
                let begin = LSN(rawValue: expected * size.bytes)
                var start = max(begin, try end(of: expected) ?? begin)
                // All of it may be held, and has not the name of a complete segment.
                if !isGap(start, number) { start = begin }
                ranges.append(WALGap(start: position(start), end: position(LSN(rawValue: number * size.bytes))))
            }
            expected = number + 1
        }
    }
}
