import UnderstudyStreaming
import UnderstudyWAL

/// Finds the WAL that is missing between the segments of an archive, and before the position where its stream
/// continues.
struct ArchiveGaps {
    /// Oldest first.
    private(set) var ranges: [WALGap] = []

    /// - Parameters:
    ///   - files: The files of the archive. Files that are on timelines outside the history, or not of its past, do not
    ///     count.
    ///   - next: Where the stream continues.
    ///   - held: Returns the end of the WAL in a file; nil if it has none. Called only for incomplete files, and only
    ///     if something is missing after them.
    init(
        of files: [ArchivedSegment], before next: WALPosition, history: TimelineHistory?,
        held: (ArchivedSegment) throws(WALDestinationError) -> LSN?
    ) throws(WALDestinationError) {
        let size = files.first?.segment.size ?? .default
        var complete: Set<UInt64> = []
        // Files that hold the beginning of a segment, and up to where they belong to the past.
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
        /// The end of what is held of an incomplete segment.
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
        // An archive may begin with an incomplete segment.
        for number in parts.keys.sorted() where number < first {
            if try end(of: number) != nil { first = number }
        }
        var expected = first
        for number in complete.sorted() + [last] {
            if number > expected {
                let begin = LSN(rawValue: expected * size.bytes)
                var start = max(begin, try end(of: expected) ?? begin)
                // The segment may be held in full, but without the name of a complete one.
                if !isGap(start, number) { start = begin }
                ranges.append(WALGap(start: position(start), end: position(LSN(rawValue: number * size.bytes))))
            }
            expected = number + 1
        }
    }
}
