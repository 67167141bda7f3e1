import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// What the names in the directories of an archive say about a file that was not found there.
struct RestoreSurvey {
    /// The directories without any WAL.
    private(set) var empty: [String] = []
    /// Whether there are older and newer segments of the timeline.
    private(set) var hasOlder = false, hasNewer = false
    /// Whether the file is there after all: it got its name meanwhile.
    private(set) var isThere = false
    /// Whether there is a segment of the timeline.
    private(set) var hasTimeline = false
    /// The last note of missing WAL that begins before the end of the segment.
    private(set) var note: String?
    /// The history files.
    private(set) var histories: [StoredFile] = []
    /// A complete segment of any timeline, the newest by its name.
    private(set) var sample: StoredFile?

    private let name: String
    /// The first eight digits of a segment's name.
    private let timeline: Substring

    /// - Parameter name: Of a segment, or of a history file.
    init(_ name: String) {
        self.name = name
        timeline = name.prefix(8)
    }

    mutating func look(into directory: ConfinedDirectory) throws(FileIOError) {
        var holdsWAL = false
        try directory.forEachEntry { entry throws(FileIOError) in
            if entry.kind == .file, self.note("\(entry.name)", in: directory) { holdsWAL = true }
            return true
        }
        if !holdsWAL { empty.append(directory.path) }
    }

    /// Positions within a timeline ascend with the names, whatever the size of the segments.
    ///
    /// - Returns: Whether it is a segment, or a history file.
    private mutating func note(_ found: String, in directory: ConfinedDirectory) -> Bool {
        if let history = ArchivedHistory(fileName: found) {
            histories.append(StoredFile(RelativePath(found), history.compression, in: directory))
            if found.hasPrefix(name) { isThere = true }
            return true
        }
        if ArchivedSegment.isFileName(found) {
            noteSegment(found, in: directory)
            return true
        }
        if found.hasSuffix(GapNote.suffix), WALSegmentName.isSegmentName(found.dropLast(GapNote.suffix.count)),
            found.prefix(24) <= name, found > note ?? ""
        {
            note = found
        }
        return false
    }

    private mutating func noteSegment(_ found: String, in directory: ConfinedDirectory) {
        let segment = found.prefix(24), isPartial = found.hasSuffix(ArchivedSegment.partialSuffix)
        // The size matters for the number alone, which does not.
        if !isPartial, let file = ArchivedSegment(fileName: found, size: .default),
            found > sample.map({ "\($0.name)" }) ?? ""
        {
            sample = StoredFile(RelativePath(found), file.compression, in: directory)
        }
        guard segment.prefix(8) == timeline else { return }
        hasTimeline = true
        if segment < name { hasOlder = true }
        if segment > name { hasNewer = true }
        if segment == name, !isPartial { isThere = true }
    }
}
