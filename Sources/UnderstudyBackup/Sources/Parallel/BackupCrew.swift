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
    /// How often the connection is looked after that holds the backup.
    private static let interval = Duration.seconds(10)

    init(_ work: BackupWork) {
        self.work = work
    }

    /// Starts a thread. Its failure stops all others.
    func start(_ body: @escaping @Sendable () throws(UnderstudyError) -> Void) throws(UnderstudyError) {
        state.change { $0.running += 1 }
        do throws(FileIOError) {
            let thread = try OwnThread("copier") {
                do throws(UnderstudyError) { try body() } catch { self.fail(error) }
                self.state.update { $0.running -= 1 }
            }
            threads.change { $0.append(thread) }
        } catch {
            state.change { $0.running -= 1 }
            // One thread is enough.
            if threads.read({ $0.isEmpty }) { throw UnderstudyError(error) }
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
    /// - Parameter check: Called now and then; what it throws ends all.
    func wait(_ check: () throws(UnderstudyError) -> Void) throws(UnderstudyError) {
        while state.wait(timeout: Self.interval, until: { $0.running == 0 ? () : nil }) == nil {
            if !work.interrupt.isRaised { try check() }
        }
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
