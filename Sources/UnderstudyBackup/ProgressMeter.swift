import UnderstudyPlatform

/// Collects the progress of a run and reports it on its own thread; the hot paths only add to counters.
package final class ProgressMeter: Sendable {
    private struct State {
        var current: BackupProgress
        /// Phases that have begun and are not yet reported, each with the counters at its start.
        var untold: [BackupProgress] = []
        var isClosed = false
    }

    private let state: Monitor<State>
    private let tell: @Sendable (BackupProgress) -> Void
    private let thread = Monitor<OwnThread?>(nil)

    /// Four times a second: often enough for a line on a terminal.
    private static let interval = Duration.milliseconds(250)

    package init(_ tell: @escaping @Sendable (BackupProgress) -> Void) {
        state = Monitor(State(current: BackupProgress(phase: .connecting)))
        self.tell = tell
    }

    /// Starts reporting; ``finish(_:)`` must follow. If no thread can be created, all phases are reported at the end.
    package func start() {
        state.update { $0.untold = [$0.current] }
        thread.update { $0 = try? OwnThread("progress") { self.run() } }
    }

    package func enter(_ phase: BackupProgress.Phase) {
        state.update { state in
            guard state.current.phase != phase else { return }
            state.current.phase = phase
            state.untold.append(state.current)
        }
    }

    /// Does not wake the thread, which reads the counters at each interval.
    package func count(bytes: Int) {
        state.change { $0.current.bytesDone += UInt64(bytes) }
    }

    package func set(total: UInt64?, tablespaces: Int) {
        state.change {
            $0.current.bytesTotal = total
            $0.current.tablespacesTotal = tablespaces
        }
    }

    package func tablespaceDone() {
        state.change { $0.current.tablespacesDone += 1 }
    }

    package var bytesDone: UInt64 { state.read { $0.current.bytesDone } }

    /// Reports the last phase, and returns once it is reported.
    package func finish(_ phase: BackupProgress.Phase) {
        enter(phase)
        state.update { $0.isClosed = true }
        if let thread = thread.read({ $0 }) { thread.join() } else { run() }
    }

    // MARK: - On the thread

    private func run() {
        let clock = ContinuousClock()
        let began = clock.now
        var rate = RateWindow()
        while true {
            // A change of phase ends the wait early.
            let (untold, closed, current) =
                state.wait(timeout: Self.interval) { state -> ([BackupProgress], Bool, BackupProgress)? in
                    guard !state.untold.isEmpty || state.isClosed else { return nil }
                    defer { state.untold = [] }
                    return (state.untold, state.isClosed, state.current)
                } ?? ([], false, state.read { $0.current })
            let elapsed = clock.now - began
            if current.phase == .copying { rate.add(bytes: current.bytesDone, at: elapsed) }
            for var progress in untold.isEmpty && !closed ? [current] : untold {
                progress.elapsed = elapsed
                progress.bytesPerSecond = rate.bytesPerSecond
                progress.eta = progress.phase == .copying ? rate.timeFor(progress.bytesLeft) : nil
                tell(progress)
            }
            if closed { return }
        }
    }
}

/// The transfer rate over about the last five seconds.
struct RateWindow {
    private var samples: [(bytes: UInt64, at: Duration)] = []
    private static let length = Duration.seconds(5)

    mutating func add(bytes: UInt64, at time: Duration) {
        samples.append((bytes, time))
        while samples.count > 2, time - samples[1].at > Self.length { samples.removeFirst() }
    }

    var bytesPerSecond: UInt64 {
        guard let first = samples.first, let last = samples.last, last.at > first.at else { return 0 }
        let seconds = (last.at - first.at) / .seconds(1)
        return UInt64(Double(last.bytes - first.bytes) / seconds)
    }

    /// nil while there are too few samples for an estimate.
    func timeFor(_ bytes: UInt64?) -> Duration? {
        let rate = bytesPerSecond
        guard let bytes, rate > 0, let first = samples.first, let last = samples.last, last.at - first.at >= .seconds(1)
        else { return nil }
        // A server may announce any size; a duration is bounded.
        return .seconds(min(Double(bytes) / Double(rate), 1e12))
    }
}

extension BackupProgress {
    fileprivate var bytesLeft: UInt64? {
        bytesTotal.map { $0 > bytesDone ? $0 - bytesDone : 0 }
    }
}
