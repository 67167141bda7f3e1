import UnderstudyConnection
import UnderstudyCore

/// Decides which failures are worth another attempt.
enum Retry {
    /// Whether no attempt can help: the cause is on our side, or the loss is final.
    static func isPermanent(_ error: UnderstudyError) -> Bool {
        [.options, .passwordNeeded, .fileSystem, .target, .wal, .slotInvalidated, .cancelled].contains(error.code)
    }

    /// Whether another attempt may help even if none has succeeded before: the server is starting or not reachable yet,
    /// lags behind the archive (``RefusedStart``), another client still uses the slot, the last WAL sender or the last slot,
    /// or this process is short of threads or descriptors.
    static func mayPass(_ error: UnderstudyError) -> Bool {
        error.code == .connection || error.code == .resources
            || ["53300", "53400", "55006", "57P03"].contains(error.sqlState)
    }
}
