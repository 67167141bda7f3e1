import Understudy
import UnderstudyPlatform

/// Decides which status of an archiver is shown, and how. It reads no clock: the caller passes the time.
struct ReceiveProgressWriter: Sendable {
    enum Style: Sendable, Equatable {
        case none
        /// One line that is updated in place.
        case terminal
        /// Lines that differ from the one before, at most one per interval.
        case plain(every: Duration)
        /// Objects that differ from the one before, at most one a second, and any object after the longest silence.
        case json(hasSlot: Bool)
    }

    /// So that a program can tell that the archiver is alive.
    private static let longestSilence = Duration.seconds(10)

    var style: Style
    private var rate = RateWindow()
    private var shown: (at: Duration, line: String)?
    private var told: (at: Duration, object: JSONObject)?

    init(style: Style) {
        self.style = style
    }

    /// - Parameter time: The time since a fixed moment, the same for all calls.
    mutating func update(_ status: WALArchiver.Status, at time: Duration, columns: Int) -> ProgressWriter.Output {
        // The first position is no movement, and a step backwards is a switch to another timeline.
        if status.received > .invalid { rate.add(status.received.rawValue, at: time) }
        switch style {
        case .none:
            return .nothing
        case .terminal:
            return .status(
                ReceiveProgressText.terminalLine(status, bytesPerSecond: rate(of: status), columns: columns))
        case .plain(let interval):
            if let shown, time - shown.at < interval { return .nothing }
            let line = ReceiveProgressText.plainLine(status, bytesPerSecond: rate(of: status))
            // An idle server may have nothing new to show for days.
            guard line != shown?.line, status.phase != .stopped else { return .nothing }
            shown = (time, line)
            return .line(line)
        case .json(let hasSlot):
            return object(status, at: time, hasSlot: hasSlot)
        }
    }

    private mutating func object(
        _ status: WALArchiver.Status, at time: Duration, hasSlot: Bool
    ) -> ProgressWriter.Output {
        // Before the beginning there is nothing to show, and the end is the result's.
        guard status.phase != .stopped else { return .nothing }
        let silence = told.map { time - $0.at }
        if let silence, silence < .seconds(1) { return .nothing }
        let object = ReceiveProgressJSON.object(status, bytesPerSecond: rate(of: status), hasSlot: hasSlot)
        if let silence, silence < Self.longestSilence, object == told?.object { return .nothing }
        told = (time, object)
        return .object(object)
    }

    /// The output that stays when the archiver has ended by itself; after a failure, the error says everything.
    func end(_ status: WALArchiver.Status, failed: Bool, columns: Int) -> ProgressWriter.Output {
        guard style == .terminal else { return .nothing }
        if failed || status.received == .invalid { return .status(nil) }
        return .line(ReceiveProgressText.terminalLine(status, bytesPerSecond: nil, columns: columns))
    }

    private func rate(of status: WALArchiver.Status) -> UInt64? {
        switch status.phase {
        case .catchingUp, .streaming: rate.perSecond(over: .seconds(1))
        default: nil
        }
    }
}
