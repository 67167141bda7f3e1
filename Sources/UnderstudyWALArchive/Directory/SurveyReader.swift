import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Reads the files of a directory for an ``ArchivePlan``.
struct SurveyReader: ArchiveReader {
    typealias Failure = WALDestinationError

    let directory: ConfinedDirectory
    let origin: WALOrigin
    /// The server's history; nil if it is not known.
    let history: TimelineHistory?
    /// Files that cannot be used, of which there may be any number.
    private(set) var flaws = TruncatedList()

    init(directory: ConfinedDirectory, origin: WALOrigin, history: TimelineHistory?) {
        self.directory = directory
        self.origin = origin
        self.history = history
    }

    mutating func verdict(on file: ArchivedSegment) throws(WALDestinationError) -> ArchivedSegment.Verdict {
        let contents = ArchivedContents(file, in: directory)
        if let flaw = try contents.flaw() {
            flaws.note("\"\(directory.fullPath(contents.name))\" \(flaw), skipping")
            return .unusable
        }
        return try hasItsName(contents) ? .sound : .misnamed
    }

    func isWhole(_ file: ArchivedSegment) throws(WALDestinationError) -> Bool {
        try ArchivedContents(file, in: directory).extent()?.isWhole == true
    }

    func hasContent(_ file: ArchivedSegment, from position: LSN) throws(WALDestinationError) -> Bool {
        try ArchivedContents(file, in: directory).hasContent(from: position)
    }

    func end(of file: ArchivedSegment) throws(WALDestinationError) -> LSN? {
        let contents = ArchivedContents(file, in: directory)
        return try hasItsName(contents) ? try contents.end() : nil
    }

    func hasItsName(_ file: ArchivedSegment) throws(WALDestinationError) -> Bool {
        try hasItsName(ArchivedContents(file, in: directory))
    }

    /// Whether the first page matches the file's name; a partial file may have no page yet.
    private func hasItsName(_ contents: ArchivedContents) throws(WALDestinationError) -> Bool {
        let segment = contents.segment.segment
        guard let header = try contents.header() else {
            guard contents.segment.isPartial else { return false }
            let behindHeader = segment.startLSN.advanced(by: UInt64(WALPageHeader.byteCount)) ?? segment.startLSN
            return try !contents.hasContent(from: behindHeader)
        }
        // The segment in which a timeline begins starts with pages of the previous timeline.
        let beginning = history.map { $0.beginning(of: segment.timeline) ?? .invalid }
        return header.mismatch(
            with: segment, ofSystem: origin.systemIdentifier,
            beginsTimeline: history?.contains(segment.timeline) == true ? beginning! > segment.startLSN : true) == nil
    }
}
