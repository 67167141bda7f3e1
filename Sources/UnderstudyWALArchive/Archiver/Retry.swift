import UnderstudyConnection
import UnderstudyCore

/// Which failures another attempt may mend.
enum Retry {
    /// Never: what is wrong is on this side, or lost for good.
    static func isHopeless(_ error: UnderstudyError) -> Bool {
        [.options, .passwordNeeded, .fileSystem, .target, .wal, .slotInvalidated, .cancelled].contains(error.code)
    }

    /// Perhaps, even where it has never worked before: the server starts, is not there yet, or another client is still in
    /// the place.
    static func mayPass(_ error: UnderstudyError) -> Bool {
        if error.code == .connection { return true }
        // A standby that is behind the archive.
        if error.message.contains("ahead of the WAL flush position") { return true }
        return ["53300", "55006", "57P03"].contains(error.sqlState)
    }
}
