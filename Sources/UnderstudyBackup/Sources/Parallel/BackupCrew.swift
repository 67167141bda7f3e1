import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform

/// The threads of the connections that copy.
final class BackupCrew: Sendable {
    private struct State {
        var running = 0
        /// The first failure that has a cause of its own.
        var failure: UnderstudyError?
    }

    private let state = Monitor(State())
    private let threads = Monitor<[OwnThread]>([])
    private let work: BackupWork
    /// Raised while no thread runs.
    private let idle = Interrupt()
    /// How often the connection is looked after that holds the backup.
    private static let interval = Duration.seconds(10)
    private static let sampleInterval = Duration.milliseconds(100)

    init(_ work: BackupWork) {
        self.work = work
    }

    /// Starts a thread. Its failure stops all others.
    func start(_ body: @escaping @Sendable () throws(UnderstudyError) -> Void) throws(UnderstudyError) {
        state.change { state in
            state.running += 1
            idle.clear()
        }
        do throws(FileIOError) {
            let thread = try OwnThread("copier") {
                do throws(UnderstudyError) { try body() } catch { self.fail(error) }
                self.noteEnd()
            }
            threads.change { $0.append(thread) }
        } catch {
            noteEnd()
            // One thread is enough.
            if threads.read({ $0.isEmpty }) { throw UnderstudyError(error) }
        }
    }

    private func noteEnd() {
        state.update { state in
            state.running -= 1
            if state.running == 0 { idle.raise() }
        }
    }

    private func fail(_ error: UnderstudyError) {
        state.update { state in
            if state.failure == nil || state.failure?.code == .cancelled { state.failure = error }
        }
        work.queue.stop()
        // Ends the waits of the others, and of the run.
        work.interrupt.raise()
    }

    /// Waits until all have ended.
    ///
    /// - Parameters:
    ///   - holder: The connection that holds the backup, which this thread uses.
    ///   - look: Looks after it: at once if something comes over it or it ends, and now and then. What it throws ends all.
    ///   - sample: Called several times a second, until it returns false.
    func wait(
        watching holder: Session, _ look: () throws(UnderstudyError) -> Void,
        sampling sample: () throws(UnderstudyError) -> Bool
    ) throws(UnderstudyError) {
        let clock = ContinuousClock()
        var lookAt = clock.now + Self.interval, samples = true
        while state.read({ $0.running > 0 }) {
            let left = max(.zero, lookAt - clock.now)
            let hasNews = holder.hasNews(within: samples ? min(left, Self.sampleInterval) : left, or: idle)
            if work.interrupt.isRaised { break }
            if hasNews || clock.now >= lookAt {
                try look()
                lookAt = clock.now + Self.interval
            }
            if samples { samples = try sample() }
        }
        state.wait { $0.running == 0 ? () : nil }
        join()
        if let failure = state.read({ $0.failure }) { throw failure }
    }

    /// Ends all, and waits for that.
    func stop() {
        work.queue.stop()
        work.interrupt.raise()
        join()
    }

    private func join() {
        for thread in threads.change({ threads in
            defer { threads = [] }
            return threads
        }) { thread.join() }
    }
}
