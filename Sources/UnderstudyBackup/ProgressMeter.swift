import Synchronization
import UnderstudyPlatform

/// Collects the progress of a run and reports it on its own thread; the hot paths only add to counters.
package final class ProgressMeter: Sendable {
    private struct State {
        var current: BackupProgress
        /// Phases that have begun and are not yet reported, each with the counters at its start.
        var untold: [BackupProgress] = []
        var isTelling = false
        var isClosed = false
    }

    private let state: Monitor<State>
    private let bytes = Atomic<UInt64>(0)
    private let present = Atomic<UInt64>(0)
    private let tablespaces = Atomic(0)
    private let tell: @Sendable (BackupProgress) -> Void
    private let thread = Monitor<OwnThread?>(nil)

    /// Four times a second: often enough for a line on a terminal.
    private static let interval = Duration.milliseconds(250)

    /// - Parameter namesFiles: Whether progress names files.
    package init(namesFiles: Bool = false, _ tell: @escaping @Sendable (BackupProgress) -> Void) {
        self.namesFiles = namesFiles
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
            state.untold.append(counted(state.current))
        }
    }

    /// Waits until all phases that have begun are reported, so that what is said next comes after them.
    package func settle() {
        guard thread.read({ $0 != nil }) else { return }
        state.wait { $0.untold.isEmpty && !$0.isTelling ? () : nil }
    }

    /// Whether ``note(file:)`` is of use.
    package let namesFiles: Bool

    /// The file that is being received.
    package func note(file: String?) {
        state.change { $0.current.file = file }
    }

    /// Does not wake the thread, which reads the counters at each interval.
    ///
    /// - Parameter present: How many of the bytes did not have to come, since the target had them.
    package func count(bytes count: Int, ofThesePresent present: Int = 0) {
        bytes.add(UInt64(count), ordering: .relaxed)
        if present > 0 { self.present.add(UInt64(present), ordering: .relaxed) }
    }

    package func set(total: UInt64?, tablespaces: Int) {
        state.change {
            $0.current.bytesTotal = total
            $0.current.tablespacesTotal = tablespaces
        }
    }

    package func tablespaceDone() {
        tablespaces.add(1, ordering: .relaxed)
    }

    /// Bytes of ``bytesDone`` that the target had.
    package var bytesPresent: UInt64 { present.load(ordering: .relaxed) }

    package var bytesDone: UInt64 { bytes.load(ordering: .relaxed) }

    /// With the counters as they are now.
    private func counted(_ progress: BackupProgress) -> BackupProgress {
        var progress = progress
        progress.bytesDone = bytesDone
        progress.tablespacesDone = tablespaces.load(ordering: .relaxed)
        return progress
    }

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
                    defer {
                        state.untold = []
                        state.isTelling = true
                    }
                    return (state.untold, state.isClosed, counted(state.current))
                } ?? ([], false, counted(state.read { $0.current }))
            let elapsed = clock.now - began
            if current.phase == .copying { rate.add(current.bytesDone, at: elapsed) }
            for var progress in untold.isEmpty && !closed ? [current] : untold {
                progress.elapsed = elapsed
                progress.bytesPerSecond = rate.perSecond() ?? 0
                progress.eta = progress.phase == .copying ? progress.bytesLeft.flatMap { rate.time(for: $0) } : nil
                tell(progress)
            }
            state.update { $0.isTelling = false }
            if closed { return }
        }
    }
}

extension BackupProgress {
    fileprivate var bytesLeft: UInt64? {
        bytesTotal.map { $0 > bytesDone ? $0 - bytesDone : 0 }
    }
}
