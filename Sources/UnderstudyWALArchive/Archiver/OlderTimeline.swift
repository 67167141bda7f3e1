import Glibc
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

extension WALDirectory.Opened {
    /// How many bytes of a segment are in partial files of older timelines, up to where its own begins. A restore takes
    /// the file of the newest timeline, so that file must not get its name before it holds as much.
    ///
    /// - Parameter history: The history of the segment's timeline; nil if it is not known.
    func heldOfOlderTimeline(
        of segment: WALSegment, _ history: TimelineHistory?
    ) throws(WALDestinationError) -> Int {
        guard segment.timeline.rawValue > 1 else { return 0 }
        let history = history?.timeline == segment.timeline ? history : nil
        var limit = segment.size
        if let beginning = history?.beginning(of: segment.timeline) {
            guard let offset = segment.start.distance(to: beginning), offset > 0 else { return 0 }
            limit = min(limit, Int(offset))
        }
        var held = 0
        let names = try writing { () throws(FileIOError) in try directory.entries() }
            .filter { $0.kind == .file }.map(\.name)
        for name in names {
            guard let file = ArchivedSegment(fileName: "\(name)", size: size), file.isPartial,
                file.segment.startLSN == segment.start, file.segment.timeline < segment.timeline,
                history?.contains(file.segment.timeline) ?? true,
                let extent = try ArchivedContents(file, in: directory).extent(), extent.end > held
            else { continue }
            try syncing { () throws(FileIOError) in
                // It is the valid file until the new one holds as much, even after a crash.
                try directory.openFile(name, flags: O_RDWR).sync(path: directory.fullPath(name))
            }
            held = extent.end
        }
        return min(held, limit)
    }
}
