import UnderstudyPlatform
public import UnderstudyStreaming
public import UnderstudyWAL

/// The file in an archive that records which WAL is missing because the server had removed it: `NAME.missing`, named
/// after the first incomplete segment. No program takes it for a segment.
///
/// Lines of text: `#` begins a comment; `start` and `end` are followed by a position and a timeline.
enum GapNote {
    static let suffix = WALGap.noteSuffix

    /// The recorded gaps that were not filled since, oldest first.
    static func read(
        _ names: [String], _ listing: ArchiveListing, in directory: ConfinedDirectory
    ) throws(WALDestinationError) -> [WALGap] {
        try all(names, in: directory).sorted { $0.key < $1.key }.map(\.value).filter { !listing.fills($0) }
    }

    /// The recorded gaps, by the names of their notes. What cannot be understood is left out.
    static func all(_ names: [String], in directory: ConfinedDirectory) throws(WALDestinationError) -> [String: WALGap]
    {
        let notes = names.filter { $0.hasSuffix(suffix) && WALSegmentName.isSegmentName($0.dropLast(suffix.count)) }
        var gaps: [String: WALGap] = [:]
        for name in notes {
            let bytes = try writing { () throws(FileIOError) in
                try directory.readLinked(RelativePath(name), atMost: 4096)
            }
            guard let gap = WALGap(noted: String(decoding: bytes, as: UTF8.self)), gap.start.lsn < gap.end.lsn else {
                continue
            }
            gaps[name] = gap
        }
        return gaps
    }

    /// Writes the note durably, in place of an earlier one for the same segment.
    static func write(
        _ gap: WALGap, in directory: ConfinedDirectory, size: WALSegmentSize, mode: UInt16
    ) throws(WALDestinationError) {
        guard let segment = WALSegmentName(containing: gap.start.lsn, timeline: gap.start.timeline, size: size) else {
            return
        }
        try writing { () throws(FileIOError) in
            let temporary = RelativePath(".understudy.missing")
            if directory.exists(temporary) { try directory.remove(temporary) }
            let file = try directory.createFile(temporary, mode: mode)
            let path = directory.fullPath(temporary)
            try unsafe file.write(Array(gap.note.utf8).span.bytes, at: 0, path: path)
            try file.syncData(path: path)
            try directory.rename(temporary, to: RelativePath("\(segment)\(suffix)"))
            try directory.sync()
        }
    }
}

extension WALDirectory {
    public func noteGap(_ gap: WALGap) throws(WALDestinationError) {
        guard let opened else { return }
        try GapNote.write(gap, in: opened.directory, size: opened.size, mode: opened.origin.fileMode)
    }
}

extension WALGap {
    fileprivate var note: String {
        """
        # WAL that is missing from this archive: the server had removed it before it was received.
        # A restore cannot pass through it. It takes a base backup from behind it.
        start \(start.lsn) \(start.timeline)
        end \(end.lsn) \(end.timeline)

        """
    }

    fileprivate init?(noted text: String) {
        var found: [Substring: WALPosition] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 3, let lsn = LSN(String(words[1])), let timeline = UInt32(words[2]) else { continue }
            found[words[0]] = WALPosition(timeline: TimelineID(rawValue: timeline), lsn: lsn)
        }
        guard let start = found["start"], let end = found["end"] else { return nil }
        self.init(start: start, end: end)
    }
}
