import UnderstudyPlatform

/// Collects what is found, on any thread, and tells when to stop.
final class VerificationReporter: Sendable {
    private struct State {
        var findings: [BackupFinding] = []
        var isStopped = false
    }

    private let state = Monitor(State())
    private let stopsAtFirst: Bool
    private let interrupt: Interrupt
    private let found: @Sendable (BackupFinding) -> Void

    init(stopsAtFirst: Bool, _ interrupt: Interrupt, _ found: @escaping @Sendable (BackupFinding) -> Void) {
        self.stopsAtFirst = stopsAtFirst
        self.interrupt = interrupt
        self.found = found
    }

    /// - Parameter isLast: Whether nothing else is verified after it.
    func report(_ finding: BackupFinding, isLast: Bool = false) {
        state.change { state in
            guard !state.isStopped else { return }
            state.findings.append(finding)
            state.isStopped = stopsAtFirst || isLast
            // Under the lock, so that they come one at a time, and none after the last.
            found(finding)
        }
    }

    func report(_ kind: BackupFinding.Kind, _ path: String?, _ message: String, detail: String? = nil) {
        report(BackupFinding(kind: kind, path: path, message: message, detail: detail))
    }

    var isStopped: Bool { interrupt.isRaised || state.read { $0.isStopped } }

    var findings: [BackupFinding] { state.read { $0.findings } }
}

/// Counts what was read, and tells of it some times a second.
final class VerificationMeter: Sendable {
    private struct State {
        var bytes: UInt64 = 0
        var rate = RateWindow()
        var told: Duration?
    }

    private let total: UInt64
    private let clock = ContinuousClock()
    private let beginning: ContinuousClock.Instant
    private let state = Monitor(State())
    private let progress: @Sendable (BackupVerification.Progress) -> Void

    private static let interval = Duration.milliseconds(200)

    init(total: UInt64, _ progress: @escaping @Sendable (BackupVerification.Progress) -> Void) {
        self.total = total
        self.progress = progress
        beginning = clock.now
        add(0)
    }

    var bytes: UInt64 { state.read { $0.bytes } }

    func add(_ count: Int) { tell(count, atOnce: false) }

    func end() { tell(0, atOnce: true) }

    private func tell(_ count: Int, atOnce: Bool) {
        let elapsed = clock.now - beginning
        state.change { state in
            state.bytes += UInt64(count)
            if !atOnce, let told = state.told, elapsed - told < Self.interval { return }
            state.told = elapsed
            state.rate.add(state.bytes, at: elapsed)
            let left = total > state.bytes ? total - state.bytes : 0
            progress(
                .init(
                    bytesDone: state.bytes, bytesTotal: total, bytesPerSecond: state.rate.perSecond() ?? 0,
                    timeLeft: state.rate.time(for: left), elapsed: elapsed))
        }
    }
}
