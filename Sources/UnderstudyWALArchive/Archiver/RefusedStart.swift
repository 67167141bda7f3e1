import UnderstudyCore
import UnderstudyStreaming
import UnderstudyWAL

/// Explains why the server does not stream from the end of the archive, and whether another attempt may succeed.
enum RefusedStart {
    /// - Parameter end: The end of the server's WAL when the connection was made.
    static func explain(_ error: UnderstudyError, from start: WALPosition, serverAt end: LSN) -> UnderstudyError {
        // The error has no SQLSTATE of its own, and its text is in the server's language.
        guard error.sqlState == "XX000" else { return error }
        var failure = error
        if start.lsn > end {
            // A standby that lags will get there; if several hosts are listed, the next one may be there already.
            failure.code = .connection
            failure.remedy =
                "The server is behind the archive, or behind \(.startLSN(nil)): it may be a standby that lags, or have been restored to an earlier time. Connect to the present primary: list all hosts, with target_session_attrs=read-write."
        } else {
            failure.hint =
                "The server's history does not lead to \(start.lsn) on timeline \(start.timeline), and it has no history file that tells where both part. Connect to the present primary, or begin an archive in another directory."
        }
        return failure
    }
}
