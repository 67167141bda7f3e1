import Understudy

/// The progress of a backup as readable text.
enum ProgressText {
    /// The wait for the checkpoint after which `-c fast` is suggested.
    static let silenceLimit = Duration.seconds(5)

    /// One line for a terminal: percentage, bytes, rate, time left, phase. It is shorter than `columns`, so that the
    /// cursor stays on the line; the least important figures are left out first.
    static func terminalLine(
        _ progress: BackupProgress, inPhase: Duration, suggestsFastCheckpoint: Bool, columns: Int
    ) -> String {
        if progress.phase == .checkpoint {
            let room = max(0, columns - 1)
            let wait = waiting(inPhase: inPhase, suggestsFastCheckpoint: suggestsFastCheckpoint)
            return wait.full.count <= room ? wait.full : String(wait.brief.prefix(room))
        }
        var figures = figures(progress)
        figures.append(Figure(text: phase(progress, inPhase: inPhase), weight: 3))
        return figures.line(columns: columns)
    }

    /// One line for a log.
    static func plainLine(_ progress: BackupProgress, inPhase: Duration, suggestsFastCheckpoint: Bool) -> String {
        switch progress.phase {
        case .checkpoint:
            return waiting(inPhase: inPhase, suggestsFastCheckpoint: suggestsFastCheckpoint).full
        case .copying:
            let figures = figures(progress).map(\.text).joined(separator: ", ")
            return figures.isEmpty ? "copying" : "copying: \(figures)"
        case .done:
            return "done: \(Quantity.bytes(progress.bytesDone)) in \(Quantity.clock(progress.elapsed))"
        default:
            return phase(progress, inPhase: inPhase)
        }
    }

    /// The stock tool's line, for callers that parse it.
    ///
    /// - Parameter file: nil for a line without files; nil in that for room in place of one.
    static func stockLine(_ progress: BackupProgress, file: String?? = nil) -> String {
        let done = progress.bytesDone / 1024
        // The estimate may be low; the total must not be less than the bytes received.
        let estimate = (progress.bytesTotal ?? 0) / 1024
        let total = String(max(done, estimate))
        let percent = estimate > 0 ? min(100, done * 100 / estimate) : 0
        let padding = String(repeating: " ", count: max(0, total.count - String(done).count))
        let noun = progress.tablespacesTotal == 1 ? "tablespace" : "tablespaces"
        return "\(padding)\(done)/\(total) kB (\(percent)%), "
            + "\(progress.tablespacesDone)/\(progress.tablespacesTotal) \(noun)" + (file.map(stockFile) ?? "")
    }

    /// The end of a long name, in a column of its own.
    private static func stockFile(_ file: String?) -> String {
        let width = 35
        guard let file else { return String(repeating: " ", count: width + 6) }
        let shown = file.count > width ? "..." + file.suffix(width - 3) : file
        return " (\(shown)" + String(repeating: " ", count: width - shown.count) + ")"
    }

    private static func figures(_ progress: BackupProgress) -> [Figure] {
        var figures: [Figure] = []
        if let fraction = progress.fraction {
            // Rounded down: 100% means complete.
            let percent = String(Int(fraction * 100))
            figures.append(Figure(text: "\(percent)%", weight: 5))
        }
        guard progress.bytesDone > 0 || progress.bytesTotal != nil else { return figures }
        let done = Quantity.bytes(progress.bytesDone)
        let bytes = progress.bytesTotal.map { "\(done) of \(Quantity.bytes(max($0, progress.bytesDone)))" } ?? done
        figures.append(Figure(text: bytes, weight: 2))
        guard progress.phase == .copying else { return figures }
        if progress.bytesPerSecond > 0 {
            figures.append(Figure(text: "\(Quantity.bytes(progress.bytesPerSecond))/s", weight: 1))
        }
        if let eta = progress.eta {
            figures.append(Figure(text: "\(Quantity.clock(eta)) left", weight: 4))
        }
        return figures
    }

    /// The phase; in phases without other figures, also the time spent in it, from one second on.
    private static func phase(_ progress: BackupProgress, inPhase: Duration) -> String {
        let name =
            switch progress.phase {
            case .finishingWAL: "finishing WAL"
            case .uploadingManifest: "uploading the manifest"
            default: progress.phase.rawValue
            }
        if progress.phase == .done { return "\(name) in \(Quantity.clock(progress.elapsed))" }
        return progress.phase == .copying || inPhase < .seconds(1) ? name : "\(name), \(Quantity.clock(inPhase))"
    }

    private static func waiting(inPhase: Duration, suggestsFastCheckpoint: Bool) -> (brief: String, full: String) {
        let brief = "waiting for the checkpoint, \(Quantity.clock(inPhase))"
        guard suggestsFastCheckpoint, inPhase >= silenceLimit else { return (brief, brief) }
        return (brief, brief + " (-c fast asks for one at once)")
    }
}
