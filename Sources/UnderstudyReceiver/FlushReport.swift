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
    /// Nothing beyond it is told, and nothing at all while it is invalid: a WAL sender that was told no flush position is
    /// not taken for a synchronous standby, whatever else it was told.
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
