import Understudy

/// The exit status of every ending, in one place.
enum ExitStatus {
    static let success: Int32 = 0
    static let failure: Int32 = 1

    /// One status for all, as callers of the stock programs expect; that includes a run ended by a signal, which
    /// has been cleaned up after and so does not end by the signal itself.
    static func of(_ code: UnderstudyError.Code) -> Int32 { failure }

    /// A command line that cannot be meant: 1 as well, where other programs would say 2 or 64.
    static func of(_ error: UsageError) -> Int32 { failure }
}
