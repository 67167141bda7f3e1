/// What an archive and a server's history mean for each other: where the stream continues, which files belong to the
/// server's past, and which are of another history and must be set aside before anything is received.
///
/// Files of another history are set aside only if they are newer than the newest file of the server's past. Other
/// branches further back may stay.
public struct ArchivePlan: Sendable, Equatable {
    /// A file of the server's past.
    public struct Past: Sendable, Hashable {
        public var file: ArchivedSegment
        /// Up to where its segment belongs to the server's past: the segment's end, or where the server's history
        /// leaves its timeline.
        public var limit: LSN
    }

    public let segmentSize: WALSegmentSize
    /// The server's history; nil if it is not known.
    public let history: TimelineHistory?
    /// Where the stream continues: a segment's start. Nil if the archive holds nothing of use.
    public internal(set) var next: WALPosition?
    /// The files of the server's past, newest first: from the one on that decides where the stream continues.
    public var past: [Past] = []
    /// Files that hold only WAL of another history, newest first.
    public internal(set) var diverged: [ArchivedSegment] = []
    /// A file that holds WAL of another history after its limit. What precedes the limit must be kept as a partial
    /// segment.
    public internal(set) var forked: Past?
    /// Timelines of the server's past whose history file in the archive contradicts the server's, oldest first.
    public internal(set) var divergedTimelines: [TimelineID] = []
    /// Where the server's history leaves that of the archive; nil if nothing has diverged.
    public internal(set) var fork: WALPosition?
    /// A file with the name of a complete segment that holds only the beginning. It must become a partial segment.
    public internal(set) var incomplete: ArchivedSegment?
    /// Files that do not hold the WAL of their names, newest first.
    public internal(set) var misnamed: [ArchivedSegment] = []
    /// The newest file of use that is not of another history, if it is on a newer timeline than the server: an old primary
    /// may have come back. Then nothing must be set aside or received.
    public internal(set) var ahead: ArchivedSegment?

    init(segmentSize: WALSegmentSize, history: TimelineHistory?) {
        self.segmentSize = segmentSize
        self.history = history
    }
}

extension ArchiveListing {
    /// Decides by the names alone; see ``plan(timeline:history:kept:reading:)``.
    public func plan(for history: TimelineHistory) -> ArchivePlan {
        var names = TrustedNames()
        return plan(timeline: history.timeline, history: history, reading: &names)
    }

    /// Decides what an archive means for a server.
    ///
    /// - Parameters:
    ///   - timeline: The server's timeline.
    ///   - history: The history of that timeline; nil if the server has lost it. Then all older timelines count as its
    ///     past.
    ///   - kept: The histories in the archive, of the timelines for which ``history(of:)`` names a file. If two servers
    ///     were promoted independently, they contradict the server's; then the archive's files of such a timeline are of
    ///     another history.
    ///   - reader: Reads the files.
    /// - Throws: What the reader throws.
    public func plan<Reader: ArchiveReader>(
        timeline: TimelineID, history: TimelineHistory?, kept: [TimelineHistory] = [], reading reader: inout Reader
    ) throws(Reader.Failure) -> ArchivePlan {
        var plan = ArchivePlan(segmentSize: segmentSize, history: history)
        plan.divergedTimelines = history.map { $0.contradicted(by: kept) } ?? []
        for (index, file) in segments.enumerated() {
            switch try reader.verdict(on: file) {
            case .sound: break
            case .unusable: continue
            case .misnamed:
                plan.misnamed.append(file)
                continue
            }
            switch plan.relation(of: file, to: timeline) {
            case .future:
                plan.ahead = file
                return plan
            case .diverged:
                plan.diverge(file)
                continue
            case .pastUpTo(let end): try plan.continueWithin(file, upTo: end, &reader)
            case .past: try plan.continueAfter(file, &reader)
            }
            plan.past = segments[index...].compactMap { plan.past($0, of: timeline) }
            break
        }
        if plan.next == nil, let oldest = plan.diverged.last { plan.restart(before: oldest) }
        return plan
    }
}

extension ArchivePlan {
    fileprivate func relation(of file: ArchivedSegment, to timeline: TimelineID) -> ArchivedSegment.Relation {
        if divergedTimelines.contains(file.segment.timeline) { return .diverged }
        return history.map { file.relation(to: $0) } ?? (file.segment.timeline > timeline ? .future : .past)
    }

    fileprivate func past(_ file: ArchivedSegment, of timeline: TimelineID) -> Past? {
        switch relation(of: file, to: timeline) {
        case .past: Past(file: file, limit: file.segment.endLSN)
        case .pastUpTo(let end): Past(file: file, limit: end)
        case .diverged, .future: nil
        }
    }

    fileprivate mutating func diverge(_ file: ArchivedSegment) {
        diverged.append(file)
        // Files come newest first: the last one is nearest to the fork.
        let timeline = file.segment.timeline
        fork = WALPosition(timeline: timeline, lsn: history?.switchLSN(of: timeline) ?? file.segment.startLSN)
    }

    /// The server's history leaves the file's timeline within the file: up to there, its WAL is streamed again.
    fileprivate mutating func continueWithin<Reader: ArchiveReader>(
        _ file: ArchivedSegment, upTo end: LSN, _ reader: inout Reader
    ) throws(Reader.Failure) {
        if try reader.hasContent(file, from: end) {
            fork = WALPosition(timeline: file.segment.timeline, lsn: end)
            forked = Past(file: file, limit: end)
        } else if !file.isPartial {
            incomplete = file
        }
        next = WALPosition(timeline: file.segment.timeline, lsn: file.segment.startLSN)
    }

    fileprivate mutating func continueAfter<Reader: ArchiveReader>(
        _ file: ArchivedSegment, _ reader: inout Reader
    ) throws(Reader.Failure) {
        next = WALPosition(timeline: file.segment.timeline, lsn: file.nextLSN)
        if !file.isPartial, try !reader.isWhole(file) {
            incomplete = file
            next?.lsn = file.segment.startLSN
        }
    }

    /// Everything is set aside: the stream begins not after the oldest file, and where the server has surely been.
    fileprivate mutating func restart(before oldest: ArchivedSegment) {
        guard let history else { return }
        let begin = history.ancestors.last.map { $0.switchLSN.segmentStart(segmentSize) } ?? .invalid
        let lsn = min(oldest.segment.startLSN, begin)
        next = WALPosition(timeline: history.timeline(of: lsn), lsn: lsn)
    }

    /// Partial files of complete segments, such as a change of the compression leaves, newest first. One may be removed
    /// once its content is known to be in the complete file.
    public var stale: [(partial: ArchivedSegment, whole: ArchivedSegment)] {
        var complete: [WALSegmentName: ArchivedSegment] = [:]
        for (index, file) in past.map(\.file).enumerated().reversed() where !file.isPartial {
            // The newest file may be incomplete; then the stream brings its segment again.
            if index == 0, next?.lsn != file.segment.endLSN { continue }
            complete[file.segment] = file
        }
        return past.compactMap { past in
            guard past.file.isPartial, let whole = complete[past.file.segment] else { return nil }
            return (past.file, whole)
        }
    }
}

extension TimelineHistory {
    /// This timeline and its ancestors, oldest first.
    public var timelines: [TimelineID] { ancestors.map(\.timeline) + [timeline] }

    /// The timelines of this history that another server's history tells otherwise, oldest first.
    fileprivate func contradicted(by others: [TimelineHistory]) -> [TimelineID] {
        let contradicting = others.filter { !$0.agrees(with: self, before: $0.timeline) }.map(\.timeline)
        return timelines.filter(contradicting.contains)
    }
}
