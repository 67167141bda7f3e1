import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// What the names in the directories of an archive say about a file that was not found there.
struct RestoreSurvey {
    /// Whether there is any WAL.
    private(set) var holdsWAL = false
    /// Whether there are older and newer segments of the timeline.
    private(set) var hasOlder = false, hasNewer = false
    /// Whether the file is there after all: it got its name meanwhile.
    private(set) var isThere = false
    /// Whether there is a segment of the timeline.
    private(set) var hasTimeline = false
    /// The last note of missing WAL that begins before the end of the segment.
    private(set) var note: String?

    private let name: String
    /// The first eight digits of a segment's name.
    private let timeline: Substring

    /// - Parameter name: Of a segment, or of a history file.
    init(_ name: String) {
        self.name = name
        timeline = name.prefix(8)
    }

    mutating func look(into directory: ConfinedDirectory) throws(FileIOError) {
        try directory.forEachEntry { entry throws(FileIOError) in
            if entry.kind == .file { self.note("\(entry.name)") }
            return true
        }
    }

    /// Positions within a timeline ascend with the names, whatever the size of the segments.
    private mutating func note(_ found: String) {
        if ArchivedHistory(fileName: found) != nil {
            holdsWAL = true
            if found.hasPrefix(name) { isThere = true }
        } else if ArchivedSegment.isFileName(found) {
            holdsWAL = true
            let segment = found.prefix(24)
            guard segment.prefix(8) == timeline else { return }
            hasTimeline = true
            if segment < name { hasOlder = true }
            if segment > name { hasNewer = true }
            if segment == name, !found.hasSuffix(ArchivedSegment.partialSuffix) { isThere = true }
        } else if found.hasSuffix(GapNote.suffix), WALSegmentName.isSegmentName(found.dropLast(GapNote.suffix.count)),
            found.prefix(24) <= name, found > note ?? ""
        {
            note = found
        }
    }
}
