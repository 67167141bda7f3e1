import Glibc
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Finds out what a directory holds, whether that belongs to the server's past, and where the stream must continue:
/// reads for an ``ArchivePlan``, and does what that says.
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

    init(directory: ConfinedDirectory, origin: WALOrigin, size: WALSegmentSize, looksAtAll: Bool = true) {
        self.directory = directory
        self.origin = origin
        self.size = size
        self.looksAtAll = looksAtAll
    }

    mutating func holdings() throws(WALDestinationError) -> WALHoldings {
        let names = try directory.fileNames()
        try removeUnfinished(names)
        let listing = ArchiveListing(names: names, segmentSize: size)
        if let other = listing.otherSize { try refuseSize(other) }
        try checkOrigin(listing.segments)
        let history = try readHistory()
        var reader = SurveyReader(directory: directory, origin: origin, history: history)
        let plan = try listing.plan(
            timeline: origin.timeline, history: history, kept: try keptHistories(listing, history), reading: &reader)
        if let file = plan.ahead { throw Self.ahead(file, origin) }
        found.next = plan.next
        found.begin = plan.past.last.map { past in
            WALPosition(timeline: past.file.segment.timeline, lsn: past.file.segment.startLSN)
        }
        try readTail(plan.past)
        found.gaps = try GapNote.read(names, listing, in: directory)
        if looksAtAll { try lookAtAll(plan, &reader) }
        try setAside(plan, listing)
        found.warnings += reader.flaws.lines(
            "files in \"\(directory.path)\" that look like segments are of no use, skipping")
        if looksAtAll { try removeStale(plan) }
        return found
    }

    // MARK: - Files

    /// Removes files that a killed run was about to write: nothing in them was acknowledged.
    private func removeUnfinished(_ names: [String]) throws(WALDestinationError) {
        for name in names where name.hasPrefix(".understudy") {
            try writing { () throws(FileIOError) in try directory.remove(RelativePath(name)) }
        }
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

    /// The histories in the archive of the timelines of the server's past.
    private func keptHistories(
        _ listing: ArchiveListing, _ history: TimelineHistory?
    ) throws(WALDestinationError) -> [TimelineHistory] {
        var kept: [TimelineHistory] = []
        for timeline in history?.timelines ?? [] {
            guard let file = listing.history(of: timeline) else { continue }
            let content = try writing { () throws(FileIOError) in try HistoryFile(file, in: directory).content() }
            if let content, let history = try? TimelineHistory(parsing: content, of: timeline) { kept.append(history) }
        }
        return kept
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

    // MARK: - What is set aside

    private mutating func setAside(_ plan: ArchivePlan, _ listing: ArchiveListing) throws(WALDestinationError) {
        try setMisnamedAside(plan.misnamed)
        if let incomplete = plan.incomplete { try makePartial(incomplete) }
        guard let fork = plan.fork else { return }
        var names: [String] = []
        for file in plan.diverged { names.append(try setAside(file)) }
        if let forked = plan.forked {
            names.append(try ForkedFile(forked, in: directory, mode: origin.fileMode).divide())
        }
        for history in plan.divergedTimelines.reversed().compactMap(listing.history) {
            names.append(
                try writing { () throws(FileIOError) in
                    try HistoryFile(history, in: directory).setAside(mode: origin.fileMode)
                })
        }
        found.divergence = WALHoldings.Divergence(fork: fork, names: names.reversed())
    }

    func setAside(_ segment: ArchivedSegment) throws(WALDestinationError) -> String {
        let name = RelativePath(segment.fileName)
        return try writing { () throws(FileIOError) in try directory.setAside(name, mode: origin.fileMode) }
    }
}
