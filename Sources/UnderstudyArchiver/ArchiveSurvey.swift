import Glibc
import UnderstudyFileIO
import UnderstudyReceiver
import UnderstudyWAL

/// Finds out what a directory holds, whether it is of the server's past, and where the stream must go on.
///
/// Only the newest files are looked into: what lies behind a good one was good when that was begun.
struct ArchiveSurvey {
    let directory: ConfinedDirectory
    let origin: WALOrigin
    let size: WALSegmentSize

    private var found = WALHoldings()
    private var aside: [ArchivedSegment] = []
    private var fork: WALPosition?

    init(directory: ConfinedDirectory, origin: WALOrigin, size: WALSegmentSize) {
        self.directory = directory
        self.origin = origin
        self.size = size
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
        let history = try readHistory()
        var disagrees = false
        if let history { disagrees = try !agreesWithOurs(history) }
        var isFirst = true
        for segment in segments {
            let contents = ArchivedContents(segment, in: directory)
            guard try isUsable(contents) else { continue }
            if isFirst { try checkOrigin(contents) }
            isFirst = false
            var relation = history.map { segment.relation(to: $0) } ?? .past
            if disagrees && segment.segment.timeline == origin.timeline { relation = .diverged }
            switch relation {
            case .future: throw Self.ahead(segment, origin)
            case .diverged:
                note(segment, history)
                continue
            case .pastUpTo(let end):
                // What it holds up to there comes again.
                if try contents.hasContent(from: end) { note(segment, history) }
                found.next = WALPosition(timeline: segment.segment.timeline, lsn: segment.segment.startLSN)
            case .past:
                found.next = WALPosition(timeline: segment.segment.timeline, lsn: segment.nextLSN)
            }
            break
        }
        try setAside(disagrees: disagrees)
        return found
    }

    // MARK: - Files

    /// What a killed run was about to write: nothing of it was acknowledged.
    private func removeUnfinished(_ names: [RelativePath]) throws(WALDestinationError) {
        for name in names where "\(name)".hasPrefix(".understudy") {
            try writing { () throws(FileIOError) in try directory.remove(name) }
        }
    }

    private mutating func isUsable(_ contents: ArchivedContents) throws(WALDestinationError) -> Bool {
        guard let flaw = try contents.flaw() else { return true }
        found.warnings.append(
            "\"\(directory.fullPath(RelativePath(contents.segment.fileName)))\" \(flaw), skipping")
        return false
    }

    /// The first page of a segment tells where it is from.
    private func checkOrigin(_ contents: ArchivedContents) throws(WALDestinationError) {
        guard let header = try contents.header() else { return }
        let name = contents.segment.fileName
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

    /// nil where the server does not tell its history: nothing can be said of the past then.
    private func readHistory() throws(WALDestinationError) -> TimelineHistory? {
        if origin.timeline.rawValue == 1 { return TimelineHistory(root: origin.timeline) }
        guard let bytes = origin.history else { return nil }
        do throws(TimelineHistoryError) {
            return try TimelineHistory(parsing: bytes, of: origin.timeline)
        } catch {
            var failure = WALDestinationError(error.message, detail: error.detail)
            failure.dependsOnServer = true
            throw failure
        }
    }

    /// Whether the history file that we hold of the server's timeline tells the same as the server.
    private func agreesWithOurs(_ history: TimelineHistory) throws(WALDestinationError) -> Bool {
        let kept = try writing { () throws(FileIOError) in
            try HistoryFile.find(history.timeline, in: directory)?.content()
        }
        guard let kept, let ours = try? TimelineHistory(parsing: kept, of: history.timeline) else { return true }
        return ours.agrees(with: history, before: history.timeline)
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
        let timeline = segment.segment.timeline
        fork = WALPosition(
            timeline: timeline, lsn: history?.switchLSN(of: timeline) ?? segment.segment.startLSN)
    }

    private mutating func setAside(disagrees: Bool) throws(WALDestinationError) {
        guard let fork else { return }
        var names: [String] = []
        for segment in aside {
            let name = RelativePath(segment.fileName)
            names.append(
                try writing { () throws(FileIOError) in try directory.setAside(name, mode: origin.fileMode) })
        }
        if disagrees {
            let name = try writing { () throws(FileIOError) in
                try HistoryFile.find(origin.timeline, in: directory)?.setAside(mode: origin.fileMode)
            }
            if let name { names.append(name) }
        }
        found.divergence = WALHoldings.Divergence(fork: fork, names: names.reversed())
    }
}
