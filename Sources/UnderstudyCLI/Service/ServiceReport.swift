import Understudy

/// What a service manager is told of a receiver, and when: sd_notify(3). It reads no clock: the caller passes the time.
struct ServiceReport: Sendable {
    /// How long the manager goes without a sign of life; nil if it wants none.
    let watchdog: Duration?
    private var hasBegun = false
    private var told: (phase: WALArchiver.Status.Phase, line: String, at: Duration)?
    private var life: (sign: Sign, at: Duration)?

    /// How far the threads of the archiver were.
    private struct Sign: Equatable {
        var pulse: UInt64
        var synced: LSN
    }

    /// Between two lines about the same phase: each one goes to whoever watches the manager.
    private static let interval = Duration.seconds(10)
    /// The longest line.
    private static let limit = 300

    init(watchdog: Duration?) {
        self.watchdog = watchdog
    }

    /// Whether the next call needs the pulse.
    var needsPulse: Bool { !hasBegun || watchdog != nil }

    /// - Parameters:
    ///   - pulse: See `WALArchiver.pulse()`.
    ///   - time: The time since a fixed moment, the same for all calls.
    /// - Returns: The next datagram, if one is due.
    mutating func update(_ status: WALArchiver.Status, pulse: UInt64, at time: Duration) -> String? {
        var lines: [String] = []
        if !hasBegun, Self.hasBegun(status, pulse) {
            hasBegun = true
            lines.append("READY=1")
        }
        if let line = line(status, at: time) { lines.append("STATUS=\(line)") }
        if isAlive(status, pulse: pulse, at: time) { lines.append("WATCHDOG=1") }
        return lines.isEmpty ? nil : lines.joined(separator: "\n")
    }

    /// The last datagram. Where all is well but nobody saw it stream, it is ready now: a service that ends before counts as failed.
    ///
    /// - Parameter isDone: Whether the run has ended without an error.
    mutating func end(isDone: Bool) -> String {
        let beginning = isDone && !hasBegun ? "READY=1\n" : ""
        hasBegun = hasBegun || isDone
        return "\(beginning)STOPPING=1\nSTATUS=stopping"
    }

    /// Whether the server has accepted a stream, or the archiver goes on by itself: it pauses only before a further attempt.
    private static func hasBegun(_ status: WALArchiver.Status, _ pulse: UInt64) -> Bool {
        switch status.phase {
        case .waiting: true
        case .streaming, .catchingUp, .stalled: pulse > 0
        default: false
        }
    }

    private mutating func line(_ status: WALArchiver.Status, at time: Duration) -> String? {
        if let told, told.phase == status.phase, time - told.at < Self.interval { return nil }
        var line = ReceiveProgressText.plainLine(status, bytesPerSecond: nil)
        if [.waiting, .stalled].contains(status.phase), let error = status.lastError { line += ": \(error.message)" }
        line = String(PrintedText.line(PrintedText.words(line)).prefix(Self.limit))
        guard status.phase != .stopped, line != told?.line else { return nil }
        told = (status.phase, line, time)
        return line
    }

    /// Whether a sign of life is due, and the archiver has given one since the last: its network thread has come round, and what
    /// had been received was synced, or there is no room for it. While it connects, time limits of its own hold.
    private mutating func isAlive(_ status: WALArchiver.Status, pulse: UInt64, at time: Duration) -> Bool {
        guard let watchdog else { return false }
        let sign = Sign(pulse: pulse, synced: status.synced)
        if let life {
            guard time - life.at >= watchdog / 2 else { return false }
            switch status.phase {
            case .catchingUp, .streaming:
                let waitsForSync = status.synced != .invalid && status.received > status.synced
                guard pulse != life.sign.pulse, !waitsForSync || status.synced != life.sign.synced else {
                    return false
                }
            case .stalled:
                guard pulse != life.sign.pulse else { return false }
            default: break
            }
        }
        life = (sign, time)
        return true
    }
}
