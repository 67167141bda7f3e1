import Understudy

/// Decides which status of an archiver is shown, and how. It reads no clock: the caller passes the time.
struct ReceiveProgressWriter: Sendable {
    enum Style: Sendable, Equatable {
        case none
        /// One line that is updated in place.
        case terminal
        /// Lines that differ from the one before, at most one per interval.
        case plain(every: Duration)
    }

    var style: Style
    private var meter = RateMeter()
    private var shown: (at: Duration, line: String)?

    init(style: Style) {
        self.style = style
    }

    /// - Parameter time: The time since a fixed moment, the same for all calls.
    mutating func update(_ status: WALArchiver.Status, at time: Duration, columns: Int) -> ProgressWriter.Output {
        meter.add(status.received, at: time)
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
        }
    }

    /// The output that stays when the archiver has ended by itself; after a failure, the error says everything.
    func end(_ status: WALArchiver.Status, failed: Bool, columns: Int) -> ProgressWriter.Output {
        guard style == .terminal else { return .nothing }
        if failed || status.received == .invalid { return .status(nil) }
        return .line(ReceiveProgressText.terminalLine(status, bytesPerSecond: nil, columns: columns))
    }

    private func rate(of status: WALArchiver.Status) -> UInt64? {
        switch status.phase {
        case .catchingUp, .streaming: meter.bytesPerSecond
        default: nil
        }
    }
}

/// The speed of a position over the last few seconds.
struct RateMeter: Sendable {
    private static let window = Duration.seconds(5)
    /// A rate over a shorter time means nothing.
    private static let shortest = Duration.seconds(1)

    private var samples: [(time: Duration, position: LSN)] = []

    mutating func add(_ position: LSN, at time: Duration) {
        // A step backwards is a switch to another timeline, and the first position is no movement.
        if let last = samples.last, position < last.position || last.position == .invalid { samples = [] }
        samples.append((time, position))
        // The oldest sample kept is at the window's edge, or just before it.
        while samples.count > 2, time - samples[1].time >= Self.window { samples.removeFirst() }
    }

    /// Nil while unknown.
    var bytesPerSecond: UInt64? {
        guard let first = samples.first, let last = samples.last, first.position != .invalid,
            last.time - first.time >= Self.shortest
        else { return nil }
        let bytes = Double(last.position.rawValue - first.position.rawValue)
        return UInt64(bytes / Quantity.seconds(last.time - first.time))
    }
}
