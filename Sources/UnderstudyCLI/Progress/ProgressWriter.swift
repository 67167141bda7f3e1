import Understudy

/// Decides which progress is shown, and how. It reads no clock: it uses the elapsed time in the progress.
struct ProgressWriter: Sendable {
    enum Style: Sendable, Equatable {
        case none
        /// One line that is updated in place.
        case terminal
        /// Lines, at each change of phase and whenever this many seconds have passed.
        case plain(every: Int64)
        /// The stock tool's lines during the copy, once a second. With `-v` they name the file; the wait for the checkpoint is
        /// announced without it, since with it the log announces it.
        case stock(isVerbose: Bool, directory: String)
        /// Objects, at each change of phase and every second.
        case json
    }

    enum Output: Sendable, Equatable {
        case nothing
        /// Replaces the line that is updated in place; nil removes it.
        case status(String?)
        /// A line that stays.
        case line(String)
        /// An object for programs.
        case object(JSONObject)
    }

    var style: Style
    /// Whether to suggest a fast checkpoint if the wait is long.
    var suggestsFastCheckpoint: Bool
    private(set) var last: BackupProgress?
    /// The last phase but `failed`.
    private(set) var reached: BackupProgress.Phase?
    private var phaseBegan = Duration.zero
    /// The second in which something was last shown.
    private var shown: Int64?

    init(style: Style, suggestsFastCheckpoint: Bool) {
        self.style = style
        self.suggestsFastCheckpoint = suggestsFastCheckpoint
    }

    mutating func update(_ progress: BackupProgress, columns: Int) -> Output {
        let previous = last
        let changed = previous?.phase != progress.phase
        last = progress
        if progress.phase != .failed { reached = progress.phase }
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
                    progress, inPhase: progress.elapsed - phaseBegan, suggestsFastCheckpoint: suggestsFastCheckpoint))
        case .stock(let isVerbose, let directory):
            return stock(progress, previous: previous, isVerbose: isVerbose, directory)
        case .json:
            // The last object also has the result: the caller makes it with `ProgressJSON.done` or `failed`.
            guard progress.phase != .done, progress.phase != .failed, isDue(progress, every: 1, changed: changed)
            else { return .nothing }
            return .object(ProgressJSON.object(progress))
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
            progress, inPhase: progress.elapsed - phaseBegan, suggestsFastCheckpoint: suggestsFastCheckpoint,
            columns: columns)
        return progress.phase == .done ? .line(line) : .status(line)
    }

    private mutating func stock(
        _ progress: BackupProgress, previous: BackupProgress?, isVerbose: Bool, _ directory: String
    ) -> Output {
        var line: String {
            ProgressText.stockLine(progress, file: isVerbose ? .some(progress.file.map { "\(directory)\($0)" }) : nil)
        }
        switch progress.phase {
        case .checkpoint:
            return !isVerbose && previous?.phase != .checkpoint ? .line("waiting for checkpoint") : .nothing
        case .copying:
            return isDue(progress, every: 1) ? .line(line) : .nothing
        case .failed:
            return .nothing
        default:
            // The copy has just ended: always show its last line.
            return previous?.phase == .copying ? .line(line) : .nothing
        }
    }
}
