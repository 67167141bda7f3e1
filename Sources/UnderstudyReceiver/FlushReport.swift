package import UnderstudyWAL

/// Which position a status update tells the server as flushed: up to there a slot lets WAL go, and commits may return.
package struct FlushReport: Sendable, Equatable {
    package enum Basis: Sendable {
        /// What is on stable storage.
        case synced
        /// What was written: for those who sync nothing, and say so.
        case written
    }

    package var basis: Basis
    /// Nothing beyond it is told as flushed or written. While it is invalid no flush position is told: such a WAL sender is
    /// not taken for a synchronous standby, whatever it is told as written. Once valid it may grow or become invalid; what
    /// was told as written would fall if it became valid later.
    ///
    /// Source: `SyncRepGetCandidateStandbys` in `syncrep.c`.
    package var limit: LSN

    package init(_ basis: Basis = .synced, limit: LSN = .unlimited) {
        self.basis = basis
        self.limit = limit
    }
}

extension LSN {
    /// A limit that limits nothing.
    package static let unlimited = LSN(rawValue: .max)
}
