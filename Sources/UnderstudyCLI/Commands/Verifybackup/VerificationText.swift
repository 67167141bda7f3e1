import Understudy
import UnderstudyPlatform

/// How the progress of a verification is shown. It reads no clock.
struct VerificationProgressWriter: Sendable {
    enum Style: Sendable {
        /// Lines, once a second; on a terminal one that renews itself.
        case stock(isTerminal: Bool)
        case terminal, plain, json
    }

    let style: Style
    /// The second of the run in which something was last shown.
    private var shown: Int64?

    init(style: Style) {
        self.style = style
    }

    mutating func update(
        _ progress: BackupVerification.Progress, columns: Int
    ) -> ProgressWriter.Output {
        let isEnd = progress.bytesDone >= progress.bytesTotal
        let second = progress.elapsed.components.seconds
        if case .terminal = style {
            return isEnd ? .status(nil) : .status(Self.figures(progress).line(columns: columns))
        }
        if !isEnd, shown == second { return .nothing }
        shown = second
        switch style {
        case .stock(let isTerminal):
            let line = Self.stockLine(progress)
            return isEnd || !isTerminal ? .line(line) : .status(line)
        case .plain: return .line("verifying: " + Self.figures(progress).map(\.text).joined(separator: ", "))
        case .json, .terminal: return .object(Self.object(progress))
        }
    }

    static func stockLine(_ progress: BackupVerification.Progress) -> String {
        let done = String(progress.bytesDone / 1024), total = String(progress.bytesTotal / 1024)
        let percent = progress.bytesTotal / 1024 > 0 ? progress.bytesDone * 100 / progress.bytesTotal : 0
        let padding = String(repeating: " ", count: max(0, total.count - done.count))
        return "\(padding)\(done)/\(total) kB (\(percent)%) verified"
    }

    private static func figures(_ progress: BackupVerification.Progress) -> [Figure] {
        var figures: [Figure] = []
        if progress.bytesTotal > 0 {
            figures.append(Figure(text: "\(progress.bytesDone * 100 / progress.bytesTotal)%", weight: 5))
        }
        let bytes = "\(Quantity.bytes(progress.bytesDone)) of \(Quantity.bytes(progress.bytesTotal))"
        figures.append(Figure(text: bytes, weight: 2))
        if progress.bytesPerSecond > 0 {
            figures.append(Figure(text: "\(Quantity.bytes(progress.bytesPerSecond))/s", weight: 1))
        }
        if let left = progress.timeLeft, progress.bytesDone < progress.bytesTotal {
            figures.append(Figure(text: "\(Quantity.clock(left)) left", weight: 4))
        }
        return figures
    }

    private static func object(_ progress: BackupVerification.Progress) -> JSONObject {
        JSONObject(
            kind: .progress,
            members: [
                ("phase", .string("verifying")), ("bytesDone", .unsigned(progress.bytesDone)),
                ("bytesTotal", .unsigned(progress.bytesTotal)),
                ("bytesPerSecond", .unsigned(progress.bytesPerSecond)),
            ])
    }
}

/// The result of `verifybackup --json`. The guide names the members.
enum VerificationJSON {
    static func result(_ plan: VerifybackupPlan, _ report: BackupVerification.Report) -> JSONObject {
        JSONObject(
            kind: .result,
            members: [
                ("backup", .string(plan.verification.directory)),
                ("sound", .bool(report.isSound)),
                ("format", .string(report.format.rawValue)),
                ("manifestVersion", .integer(Int64(report.manifestVersion))),
                ("files", .integer(Int64(report.fileCount))),
                ("verifiedBytes", .unsigned(report.bytesVerified)),
                ("walRecords", .unsigned(report.walRecordCount)),
                ("findings", .array(report.findings.map(finding))),
            ])
    }

    private static func finding(_ finding: BackupFinding) -> JSONValue {
        .object([
            ("kind", .string(finding.kind.rawValue)), ("path", .optional(finding.path)),
            ("message", .string(finding.message)), ("detail", .optional(finding.detail)),
        ])
    }
}
