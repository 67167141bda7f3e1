import Understudy

/// Decides which status of an archiver is shown, and how. It knows no clock: the time is given to it.
struct ReceiveProgressWriter: Sendable {
    enum Style: Sendable, Equatable {
        case none
        /// One line that renews itself.
        case terminal
        /// Lines that differ from the one before, at most one each interval.
        case plain(every: Duration)
    }

    var style: Style
    private var meter = RateMeter()
    private var shown: (at: Duration, line: String)?

    init(style: Style) {
        self.style = style
    }

    /// - Parameter time: Since any moment, the same for all calls.
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
            // A server without work has nothing new to tell for days.
            guard line != shown?.line, status.phase != .stopped else { return .nothing }
            shown = (time, line)
            return .line(line)
        }
    }

    /// What stays when the archiver has ended by itself; after a failure the error says all.
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

/// How fast a position moves, over the last few seconds.
struct RateMeter: Sendable {
    private static let window = Duration.seconds(5)
    /// A shorter time tells nothing.
    private static let shortest = Duration.seconds(1)

    private var samples: [(time: Duration, position: LSN)] = []

    mutating func add(_ position: LSN, at time: Duration) {
        // A step backwards is a fork, and the first position is no movement.
        if let last = samples.last, position < last.position || last.position == .invalid { samples = [] }
        samples.append((time, position))
        // The oldest one kept is at the window's edge, or just before it.
        while samples.count > 2, time - samples[1].time >= Self.window { samples.removeFirst() }
    }

    /// Nil while that is not known.
    var bytesPerSecond: UInt64? {
        guard let first = samples.first, let last = samples.last, first.position != .invalid,
            last.time - first.time >= Self.shortest
        else { return nil }
        let bytes = Double(last.position.rawValue - first.position.rawValue)
        return UInt64(bytes / Quantity.seconds(last.time - first.time))
    }
}
