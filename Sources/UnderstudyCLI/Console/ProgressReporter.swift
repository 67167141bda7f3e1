import Understudy
import UnderstudyPlatform

/// Shows progress on the console. The library calls it from its own threads.
final class ProgressReporter: Sendable {
    private let console: Console
    private let columns: @Sendable () -> Int
    private let writer: Monitor<ProgressWriter>

    init(_ writer: ProgressWriter, console: Console, columns: @escaping @Sendable () -> Int) {
        self.console = console
        self.columns = columns
        self.writer = Monitor(writer)
    }

    func report(_ progress: BackupProgress) {
        // Shown under the lock, so that progress is shown in order.
        writer.change { writer in
            console.show(writer.update(progress, columns: columns()))
        }
    }

    /// What the run was doing when it ended or failed.
    var reached: BackupProgress.Phase? { writer.read { $0.reached } }

    /// Removes the status line, and returns the last progress.
    func end() -> BackupProgress? {
        writer.update { writer in
            console.setStatus(nil)
            return writer.last
        }
    }
}
