import Logging
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

/// Looks now and then what the directory of an archive holds, by the names of its files: others may remove some, or fill gaps.
final class HoldingsWatch: PooledWork {
    private let archiver: WALArchiver
    private let look: ArchiveLook
    private let lane: HelperLane

    private struct State {
        /// Gaps that the last look found first: a file that is moved in just then is seen by the next.
        var suspected: Set<WALGap> = []
        /// Gaps that only the contents of files show, found when the connection was made; nil before the first look.
        var ofContents: [WALGap]?
        var isStopped = false
    }

    private let state = Monitor(State())

    private static let interval = Duration.seconds(30)
    /// A look takes no more than this part of the time.
    private static let mostShare = 100

    /// - Parameter history: That of the server's timeline; nil if it is not known.
    /// - Returns: nil if the destination is no directory.
    convenience init?(_ archiver: WALArchiver, _ server: ServerFacts, _ history: TimelineHistory?) {
        guard let directory = archiver.destination as? WALDirectory, let lane = directory.lane else { return nil }
        self.init(
            archiver, lane,
            ArchiveLook(
                path: directory.path, size: server.segmentSize, timeline: server.identity.timeline, history: history))
    }

    init(_ archiver: WALArchiver, _ lane: HelperLane, _ look: ArchiveLook) {
        self.archiver = archiver
        self.lane = lane
        self.look = look
    }

    func start() { lookLater(.zero) }

    /// A look that is under way changes nothing any more.
    func stop() { state.change { $0.isStopped = true } }

    private func lookLater(_ time: Duration) {
        Timers.shared.after(time) { [weak self] in
            guard let self, !state.read({ $0.isStopped }) else { return }
            // If there is no thread now, there is one later.
            if !lane.schedule(self) { lookLater(Self.interval) }
        }
    }

    func runSlice() -> Bool {
        let began = ContinuousClock.now
        lookNow()
        lookLater(max(Self.interval, (ContinuousClock.now - began) * Self.mostShare))
        return false
    }

    /// Looks once, and changes the status accordingly.
    func lookNow() {
        // A timeline that began since is not in the history.
        guard archiver.state.status.timeline == look.timeline else { return }
        let found: ArchiveLook.Found
        do throws(WALDestinationError) { found = try look.found() } catch {
            return archiver.logger.debug("the archive could not be looked at: \(error.message)")
        }
        guard let known = archiver.state.status.holdings else { return }
        let byNames = found.gaps.map { gap in known.gaps.first { $0.isEnd(of: gap, look.size) } ?? gap }
        let news = Set(byNames).subtracting(known.gaps)
        let seen = state.change { state -> (confirmed: Set<WALGap>, ofContents: [WALGap])? in
            let ofContents = state.ofContents ?? known.gaps.filter { !byNames.contains($0) }
            state.ofContents = ofContents
            defer { state.suspected = news }
            return state.isStopped ? nil : (news.intersection(state.suspected), ofContents)
        }
        guard let (confirmed, ofContents) = seen else { return }
        let stay = ofContents.filter { gap in found.begin.map { gap.end.lsn > $0.lsn } ?? true }
        let gaps = byNames.filter { !news.contains($0) || confirmed.contains($0) } + stay
        archiver.state.change { status in
            guard status.timeline == look.timeline, status.holdings != nil else { return }
            if let begin = found.begin { status.holdings?.begin = begin }
            status.holdings?.gaps = Set(gaps).sorted { $0.start.lsn < $1.start.lsn }
        }
        for gap in gaps where confirmed.contains(gap) {
            archiver.warn(of: gap, look.history, WALArchiver.flaw(of: archiver.place), WALArchiver.missingDetail)
        }
    }
}

extension WALGap {
    /// Whether both are about the same missing segments: only who reads a file knows where in a segment a gap begins.
    fileprivate func isEnd(of other: WALGap, _ size: WALSegmentSize) -> Bool {
        end == other.end && start.lsn.segmentNumber(size) == other.start.lsn.segmentNumber(size)
    }
}

/// What the names in an archive's directory tell of the past of one timeline.
struct ArchiveLook: Sendable {
    struct Found: Sendable, Equatable {
        /// nil if there is nothing.
        var begin: WALPosition?
        /// Those that were noted and are still there, and those that names show.
        var gaps: [WALGap]
    }

    let path: String
    let size: WALSegmentSize
    let timeline: TimelineID
    /// nil if it is not known.
    let history: TimelineHistory?

    func found() throws(WALDestinationError) -> Found {
        let directory = try writing { () throws(FileIOError) in try ConfinedDirectory(path: path) }
        let names = try directory.fileNames()
        let listing = ArchiveListing(names: names, segmentSize: size)
        let noted = try GapNote.read(names, listing, in: directory)
        var reader = TrustedNames()
        let plan = listing.plan(timeline: timeline, history: history, reading: &reader)
        let begin = plan.past.last?.file.segment
        return Found(
            begin: begin.map { WALPosition(timeline: $0.timeline, lsn: $0.startLSN) },
            gaps: (noted + plan.gaps(except: noted, reading: &reader)).sorted { $0.start.lsn < $1.start.lsn })
    }
}
