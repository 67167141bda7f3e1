import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// What the names in the directories of an archive say about a file that was not found there.
struct RestoreSurvey {
    /// The directories without any segment.
    private(set) var empty: [String] = []
    /// Whether there is an older segment of the timeline.
    private(set) var hasOlder = false
    /// The next one of the timeline.
    private(set) var newer: String?
    var hasNewer: Bool { newer != nil }

    /// Whether the file is there after all: it got its name meanwhile.
    private(set) var isThere = false
    /// Whether there is a segment of the timeline.
    private(set) var hasTimeline = false
    /// The last note of missing WAL that begins before the end of the segment.
    private(set) var note: String?
    /// The history files.
    private(set) var histories: [StoredFile] = []
    /// A segment of each directory that has one: the newest by its name, a complete one if there is one.
    private(set) var samples: [StoredFile] = []
    /// The path of a file that has the name with a suffix that is not known: it may hold what was asked for.
    private(set) var unknown: String?

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
        var complete = "", partial = ""
        try directory.forEachEntry { entry throws(FileIOError) in
            guard entry.kind.mayBeFile else { return true }
            let found = "\(entry.name)"
            if let history = ArchivedHistory(fileName: found) {
                histories.append(StoredFile(entry.name, history.compression, in: directory))
                if found.hasPrefix(name) { isThere = true }
            } else if ArchivedSegment.isFileName(found) {
                holdsWAL = true
                let isPartial = found.hasSuffix(ArchivedSegment.partialSuffix)
                noteSegment(found, isWhole: !isPartial)
                if isPartial { partial = max(partial, found) } else { complete = max(complete, found) }
            } else if Self.isUnknown(found) {
                if WALSegmentName.isSegmentName(found.prefix(24)) {
                    holdsWAL = true
                    noteSegment(found, isWhole: false)
                }
                if found.hasPrefix(name), !Self.isBesideItsFile(found, in: directory) {
                    unknown = unknown ?? directory.fullPath(entry.name)
                }
            } else if found.hasSuffix(GapNote.suffix), found.prefix(24) <= name, found > note ?? "" {
                note = found
            }
            return true
        }
        // The size matters for the number alone, which does not.
        if let file = ArchivedSegment(fileName: complete.isEmpty ? partial : complete, size: .default) {
            samples.append(StoredFile(RelativePath(file.fileName), file.compression, in: directory))
        }
        if !holdsWAL { empty.append(directory.path) }
    }

    /// Positions within a timeline ascend with the names, whatever the size of the segments.
    private mutating func noteSegment(_ found: String, isWhole: Bool) {
        let segment = found.prefix(24)
        guard segment.prefix(8) == timeline else { return }
        hasTimeline = true
        if segment < name { hasOlder = true }
        if segment > name, newer.map({ found < $0 }) ?? true { newer = found }
        if segment == name, isWhole { isThere = true }
    }

    /// Whether a name is that of a segment or history file with something behind it that is not known, such as `.xz`. What is
    /// being written, and what is no WAL, is left out.
    private static func isUnknown(_ found: String) -> Bool {
        guard !found.hasSuffix(".tmp") else { return false }
        if WALSegmentName.isSegmentName(found.prefix(24)) {
            return !BackupHistoryName.isFileName(found) && found.dropFirst(24) != GapNote.suffix
        }
        return TimelineID(historyFileName: found.prefix(16)) != nil
    }

    /// Whether a file stands beside the one that it belongs to, as a checksum does, or what was kept when it was unpacked.
    private static func isBesideItsFile(_ found: String, in directory: ConfinedDirectory) -> Bool {
        guard let dot = found.lastIndex(of: ".") else { return false }
        let owner = String(found[..<dot])
        guard ArchivedSegment.isFileName(owner) || ArchivedHistory(fileName: owner) != nil else { return false }
        return directory.exists(RelativePath(owner))
    }
}
