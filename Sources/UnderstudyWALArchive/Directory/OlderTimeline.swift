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
        let (files, limit) = ArchiveListing(names: try directory.fileNames(), segmentSize: size)
            .beginnings(of: WALSegmentName(segment), history)
        var held = 0
        for file in files {
            guard let extent = try ArchivedContents(file, in: directory).extent(), extent.end > held else { continue }
            let name = RelativePath(file.fileName)
            try syncing { () throws(FileIOError) in
                // It is the valid file until the new one holds as much, even after a crash.
                try directory.openFile(name, flags: O_RDWR).sync(path: directory.fullPath(name))
            }
            held = extent.end
        }
        return min(held, Int(limit))
    }
}
