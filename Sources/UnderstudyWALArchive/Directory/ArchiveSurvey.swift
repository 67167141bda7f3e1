import Glibc
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Finds out what a directory holds, whether that belongs to the server's past, and where the stream must continue.
///
/// Only the newest files are read in full: what precedes a good file was good when that file was begun. Nothing is
/// moved until all checks that can refuse the directory have passed.
struct ArchiveSurvey {
    let directory: ConfinedDirectory
    let origin: WALOrigin
    let size: WALSegmentSize

    /// Whether to check the first page of every file and report what is missing: once per run.
    let looksAtAll: Bool

    var found = WALHoldings()
    private var aside: [ArchivedSegment] = []
    private var fork: WALPosition?
    /// Files that do not hold the WAL of their names.
    var misnamed: [ArchivedSegment] = []
    /// A file that holds WAL after the fork, and up to where it belongs to the server's past.
    private var forked: (segment: ArchivedSegment, end: LSN)?
    /// A file that has the name of a complete segment but is incomplete.
    private var incomplete: ArchivedSegment?
    /// Files that cannot be used, of which there may be any number.
    private var flaws = TruncatedList()

    init(directory: ConfinedDirectory, origin: WALOrigin, size: WALSegmentSize, looksAtAll: Bool = true) {
        self.directory = directory
        self.origin = origin
        self.size = size
        self.looksAtAll = looksAtAll
    }

    mutating func holdings() throws(WALDestinationError) -> WALHoldings {
        let names = try writing { () throws(FileIOError) in try directory.entries() }
            .filter { $0.kind == .file }.map(\.name)
        try removeUnfinished(names)
        let segments = names.compactMap { ArchivedSegment(fileName: "\($0)", size: size) }
            .sorted { $0.isNewer(than: $1) }
        if segments.isEmpty, let other = names.first(where: { ArchivedSegment.isFileName("\($0)") }) {
            try refuseSize("\(other)")
        }
        try checkOrigin(segments)
        let history = try readHistory()
        let givenTwice = try timelinesGivenTwice(history)
        var past: [ArchivedSegment] = []
        for (index, segment) in segments.enumerated() {
            let contents = ArchivedContents(segment, in: directory)
            guard try isUsable(contents) else { continue }
            if try !hasItsName(contents, history) {
                misnamed.append(segment)
                continue
            }
            switch relation(of: segment, history, givenTwice) {
            case .future: throw Self.ahead(segment, origin)
            case .diverged:
                note(segment, history)
                continue
            case .pastUpTo(let end):
                if try contents.hasContent(from: end) {
                    note(end, of: segment)
                    forked = (segment, end)
                } else if !segment.isPartial {
                    incomplete = segment
                }
                // Its WAL up to the fork is streamed again.
                found.next = WALPosition(timeline: segment.segment.timeline, lsn: segment.segment.startLSN)
            case .past:
                found.next = WALPosition(timeline: segment.segment.timeline, lsn: segment.nextLSN)
                if !segment.isPartial, try contents.extent()?.isWhole != true {
                    incomplete = segment
                    found.next?.lsn = segment.segment.startLSN
                }
            }
            past = Array(segments[index...])
            break
        }
        if found.next == nil, let history, let oldest = aside.last { found.next = fork(of: history, before: oldest) }
        let relations = past.map { relation(of: $0, history, givenTwice) }
        try readTail(Array(zip(past, relations)))
        found.gaps = try GapNote.read(in: directory, size: size)
        if looksAtAll { try lookAtAll(past, history) }
        try setAside(givenTwice)
        found.warnings += flaws.lines("files in \"\(directory.path)\" that look like segments are of no use, skipping")
        if looksAtAll { try removeStale(past) }
        return found
    }

    // MARK: - Files

    /// Removes files that a killed run was about to write: nothing in them was acknowledged.
    private func removeUnfinished(_ names: [RelativePath]) throws(WALDestinationError) {
        for name in names where "\(name)".hasPrefix(".understudy") {
            try writing { () throws(FileIOError) in try directory.remove(name) }
        }
    }

    private mutating func isUsable(_ contents: ArchivedContents) throws(WALDestinationError) -> Bool {
        guard let flaw = try contents.flaw() else { return true }
        flaws.note("\"\(directory.fullPath(RelativePath(contents.segment.fileName)))\" \(flaw), skipping")
        return false
    }

    /// Checks the cluster and the segment size by the first page of the newest segment that has one, whatever the
    /// file's size: segments of another size must not be mistaken for damaged ones.
    private func checkOrigin(_ segments: [ArchivedSegment]) throws(WALDestinationError) {
        for segment in segments {
            guard let header = try ArchivedContents(segment, in: directory).header() else { continue }
            return try checkOrigin(header, of: segment.fileName)
        }
    }

    private func checkOrigin(_ header: WALPageHeader, of name: String) throws(WALDestinationError) {
        if header.systemIdentifier != origin.systemIdentifier {
            throw WALDestinationError(
                "directory \"\(directory.path)\" holds WAL of another database cluster",
                detail:
                    "The system identifier in \"\(name)\" is \(header.systemIdentifier), the server's is \(origin.systemIdentifier).",
                hint: "Name the directory of this cluster, or an empty one.")
        }
        if header.segmentSize != size.bytes { try refuseSize(name, header.segmentSize) }
    }

    private func refuseSize(_ name: String, _ found: UInt64? = nil) throws(WALDestinationError) -> Never {
        let detail = found.map { "\($0) bytes" } ?? "another size"
        throw WALDestinationError(
            "directory \"\(directory.path)\" holds WAL with segments of another size",
            detail: "The segment \"\(name)\" has \(detail), the server's have \(size.bytes) bytes.",
            hint: "Name the directory of this cluster, or an empty one.")
    }

    // MARK: - Timelines

    /// The server's history; nil if the server does not have it, so that its past is unknown.
    private func readHistory() throws(WALDestinationError) -> TimelineHistory? {
        if origin.timeline.rawValue == 1 { return TimelineHistory(root: origin.timeline) }
        guard let bytes = origin.history else { return nil }
        do throws(TimelineHistoryError) {
            return try TimelineHistory(parsing: bytes, of: origin.timeline)
        } catch {
            var failure = WALDestinationError(error.message, detail: error.detail, cause: error)
            failure.dependsOnServer = true
            throw failure
        }
    }

    /// The timelines of the server's past for which the archive has a history file that contradicts the server's.
    private func timelinesGivenTwice(_ history: TimelineHistory?) throws(WALDestinationError) -> [TimelineID] {
        var twice: [TimelineID] = []
        for timeline in (history?.ancestors.map(\.timeline) ?? []) + [origin.timeline] {
            let kept = try writing { () throws(FileIOError) in
                try HistoryFile.find(timeline, in: directory)?.content()
            }
            guard let history, let kept, let ours = try? TimelineHistory(parsing: kept, of: timeline) else { continue }
            if !ours.agrees(with: history, before: timeline) { twice.append(timeline) }
        }
        return twice
    }

    private func relation(
        of segment: ArchivedSegment, _ history: TimelineHistory?, _ givenTwice: [TimelineID]
    ) -> ArchivedSegment.Relation {
        let timeline = segment.segment.timeline
        if givenTwice.contains(timeline) { return .diverged }
        return history.map { segment.relation(to: $0) } ?? (timeline > origin.timeline ? .future : .past)
    }

    private static func ahead(_ segment: ArchivedSegment, _ origin: WALOrigin) -> WALDestinationError {
        var error = WALDestinationError(
            "server is on timeline \(origin.timeline), but the archive is on timeline \(segment.segment.timeline) already",
            hint:
                "This may be an old primary that came back, or a standby that has not followed yet. Connect to the present primary: list all hosts, with target_session_attrs=read-write."
        )
        error.dependsOnServer = true
        return error
    }

    private mutating func note(_ segment: ArchivedSegment, _ history: TimelineHistory?) {
        aside.append(segment)
        // Files come newest first: the last one noted is nearest to the fork.
        note(history?.switchLSN(of: segment.segment.timeline) ?? segment.segment.startLSN, of: segment)
    }

    private mutating func note(_ fork: LSN, of segment: ArchivedSegment) {
        self.fork = WALPosition(timeline: segment.segment.timeline, lsn: fork)
    }

    /// Where the stream begins if the archive is set aside as a whole: not after the oldest segment that was set aside.
    private func fork(of history: TimelineHistory, before oldest: ArchivedSegment) -> WALPosition {
        // The server has at least reached the start of its timeline.
        let begin = history.ancestors.last.map { $0.switchLSN.segmentStart(size) } ?? .invalid
        let lsn = min(oldest.segment.startLSN, begin)
        return WALPosition(timeline: history.timeline(of: lsn), lsn: lsn)
    }

    private mutating func setAside(_ givenTwice: [TimelineID]) throws(WALDestinationError) {
        try setMisnamedAside()
        if let incomplete { try makePartial(incomplete) }
        guard let fork else { return }
        var names: [String] = []
        for segment in aside { names.append(try setAside(segment)) }
        if let (segment, end) = forked {
            names.append(try ForkedFile(segment, upTo: end, in: directory, mode: origin.fileMode).divide())
        }
        for timeline in givenTwice.reversed() {
            let name = try writing { () throws(FileIOError) in
                try HistoryFile.find(timeline, in: directory)?.setAside(mode: origin.fileMode)
            }
            if let name { names.append(name) }
        }
        found.divergence = WALHoldings.Divergence(fork: fork, names: names.reversed())
    }

    func setAside(_ segment: ArchivedSegment) throws(WALDestinationError) -> String {
        let name = RelativePath(segment.fileName)
        return try writing { () throws(FileIOError) in try directory.setAside(name, mode: origin.fileMode) }
    }
}
