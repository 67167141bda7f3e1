import UnderstudyReceiver
import UnderstudyWAL

/// What is missing between the complete segments of an archive, and before where its stream goes on. Pure.
struct ArchiveGaps {
    struct Gap: Equatable {
        var start: WALPosition
        var end: LSN
    }

    /// Oldest first.
    private(set) var ranges: [Gap] = []

    /// - Parameters:
    ///   - files: Those of other timelines than the history has, or that are not of its past, do not count.
    ///   - next: Where the stream goes on.
    init(of files: [ArchivedSegment], before next: WALPosition, history: TimelineHistory?) {
        let size = files.first?.segment.size ?? .default
        var numbers: Set<UInt64> = []
        for file in files where !file.isPartial && file.segment.startLSN < next.lsn {
            // Of an older timeline only what is of the past.
            if history.map({ file.relation(to: $0) == .past }) ?? true { numbers.insert(file.segment.number) }
        }
        guard var expected = numbers.min() else { return }
        let end = next.lsn.segmentNumber(size)
        for number in numbers.sorted() + [end] {
            if number > expected {
                let start = LSN(rawValue: expected * size.bytes)
                ranges.append(
                    Gap(
                        start: WALPosition(timeline: history?.timeline(of: start) ?? next.timeline, lsn: start),
                        end: LSN(rawValue: number * size.bytes)))
            }
            expected = number + 1
        }
    }
}
