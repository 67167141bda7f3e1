import Understudy

/// Decides which progress is shown, and how. It knows no clock: time is what the progress says.
struct ProgressWriter: Sendable {
    enum Style: Sendable, Equatable {
        case none
        /// One line that renews itself.
        case terminal
        /// Lines, one at each change of phase and whenever so many seconds have passed.
        case plain(every: Int64)
        /// The stock tool's lines while it copies, once a second. It says that it waits for the checkpoint, but for
        /// `-v`, where the log says so.
        case stock(announcesCheckpoint: Bool)
        /// Objects, one at each change of phase and each second.
        case json
    }

    enum Output: Sendable, Equatable {
        case nothing
        /// Replaces the line that renews itself; nil removes it.
        case status(String?)
        /// A line that stays.
        case line(String)
        /// A line for programs.
        case data(String)
    }

    var style: Style
    /// Whether a checkpoint that takes long could be had sooner.
    var pointsToFast: Bool
    private(set) var last: BackupProgress?
    private var phaseBegan = Duration.zero
    /// The second in which something was shown last.
    private var shown: Int64?

    init(style: Style, pointsToFast: Bool) {
        self.style = style
        self.pointsToFast = pointsToFast
    }

    mutating func update(_ progress: BackupProgress, columns: Int) -> Output {
        let previous = last
        let changed = previous?.phase != progress.phase
        last = progress
        if changed { phaseBegan = progress.elapsed }
        switch style {
        case .none:
            return .nothing
        case .terminal:
            return terminal(progress, columns: columns)
        case .plain(let interval):
            guard progress.phase != .failed, isDue(progress, every: interval, changed: changed) else { return .nothing }
            return .line(
                ProgressText.plainLine(
                    progress, inPhase: progress.elapsed - phaseBegan, pointsToFast: pointsToFast))
        case .stock(let announcesCheckpoint):
            return stock(progress, previous: previous, announcesCheckpoint: announcesCheckpoint)
        case .json:
            // The last object holds the result as well, and is made by `finish`.
            guard progress.phase != .done, progress.phase != .failed, isDue(progress, every: 1, changed: changed)
            else { return .nothing }
            return .data(ProgressJSON.object(progress).text)
        }
    }

    private mutating func isDue(_ progress: BackupProgress, every interval: Int64, changed: Bool = false) -> Bool {
        let second = progress.elapsed.components.seconds
        if !changed, let shown, second - shown < interval { return false }
        shown = second
        return true
    }

    private func terminal(_ progress: BackupProgress, columns: Int) -> Output {
        if progress.phase == .failed { return .status(nil) }
        let line = ProgressText.terminalLine(
            progress, inPhase: progress.elapsed - phaseBegan, pointsToFast: pointsToFast, columns: columns)
        return progress.phase == .done ? .line(line) : .status(line)
    }

    private mutating func stock(
        _ progress: BackupProgress, previous: BackupProgress?, announcesCheckpoint: Bool
    ) -> Output {
        switch progress.phase {
        case .checkpoint:
            return announcesCheckpoint && previous?.phase != .checkpoint ? .line("waiting for checkpoint") : .nothing
        case .copying:
            return isDue(progress, every: 1) ? .line(ProgressText.stockLine(progress)) : .nothing
        case .failed:
            return .nothing
        default:
            // The copy has just ended: its last line is always shown.
            return previous?.phase == .copying ? .line(ProgressText.stockLine(progress)) : .nothing
        }
    }
}
