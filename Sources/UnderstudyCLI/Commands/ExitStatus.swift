import Understudy

/// The exit status of every outcome, in one place.
enum ExitStatus {
    static let success: Int32 = 0
    static let failure: Int32 = 1

    /// Nothing is wrong with what was checked, but there are warnings, and the command line wants none.
    static let notStrictlyWell: Int32 = 2

    /// A file that an archive may have could not be restored. A server in recovery stops at a status above 125, unless a
    /// shell makes it of SIGTERM (143).
    static let doubt: Int32 = 200

    /// The same status for all errors, as callers of the stock tools expect. That includes a run ended by a signal: it
    /// has cleaned up, and so does not end by the signal itself.
    static func of(_ code: UnderstudyError.Code) -> Int32 { failure }

    /// An invalid command line: also 1, where other programs return 2 or 64.
    static func of(_ error: UsageError) -> Int32 { failure }
}
