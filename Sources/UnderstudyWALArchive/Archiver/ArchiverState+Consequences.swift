import UnderstudyWAL

extension ArchiverState.Values {
    /// Works out what follows from a changed status.
    mutating func noteConsequences() {
        status.lagBytes = safe.distance(to: status.server) ?? 0
        if status.lagBytes == 0 {
            behindSince = nil
        } else {
            behindSince = behindSince ?? .now
        }
        // While there is no room, nothing is taken.
        guard isStreaming, status.phase != .stalled, status.server > status.received else {
            waitsSince = nil
            return
        }
        guard waitsSince == nil || waitsAt != status.received else { return }
        (waitsSince, waitsAt) = (.now, status.received)
    }

    /// What the server need not keep any more. Until something was acknowledged, its slot keeps WAL from its first position on,
    /// and all that the stream brings is needed.
    private var safe: LSN {
        if status.acknowledged != .invalid { return status.acknowledged }
        let first = max(start, reserved)
        return first == .invalid ? status.received : first
    }

    /// What gauges show of the status.
    var figures: StatusGauges.Figures {
        StatusGauges.Figures(
            server: status.server, lag: status.lagIfKnown?.bytes, gaps: status.holdings.map { UInt64($0.gaps.count) })
    }
}

extension WALArchiver.Status {
    /// Without a connection nobody tells how far the server is.
    package var lagIfKnown: (bytes: UInt64, time: Duration)? {
        connectedSince != nil && server != .invalid ? (lagBytes, lag) : nil
    }

    /// Longer waits for the storage, or for WAL that the server has, are told.
    package static let longestWait = Duration.seconds(10)
}
