import UnderstudyPlatform
import UnderstudyProtocol

/// How long a server may be silent, and what happens then.
package struct SilenceLimit {
    package enum Consequence {
        /// The session fails with ``ConnectionError/Code/stalled``.
        case failure
        /// The server may have a reason. The closure checks whether it is alive, and throws if it is not.
        case inquiry(() throws(ConnectionError) -> Void)
    }

    package var limit: Duration
    package var consequence: Consequence

    package init(limit: Duration, _ consequence: Consequence) {
        self.limit = limit
        self.consequence = consequence
    }
}

extension Session {
    /// Waits for input from the server and reads it, within the session's limits.
    func waitForInput(wakeUps: [Interrupt]) throws(ConnectionError) -> Waited {
        // A shield has its own limit.
        let limit = shield == nil ? silenceLimit?.limit : nil
        let clock = ContinuousClock()
        while true {
            let begin = silentSince ?? clock.now
            silentSince = begin
            let left = limit.map { max(.zero, $0 - (clock.now - begin)) }
            let standstill = standstillLimit.map { max(.zero, $0 - (clock.now - progressedAt)) }
            let next = standstill.map { min($0, left ?? $0) } ?? left
            let waited = try waitForInput(timeout: next, wakeUps: wakeUps)
            guard waited == .timedOut else { return waited }
            try checkProgress()
            // With encryption, a wait may end early.
            if let limit, clock.now - begin >= limit { try endPatience(limit) }
        }
    }

    private func endPatience(_ limit: Duration) throws(ConnectionError) {
        switch silenceLimit?.consequence {
        case .failure: throw ConnectionError.stalled(for: limit)
        case .inquiry(let inquire): try inquire()
        case nil: break
        }
        endSilence()
    }

    /// Records that the session's task made progress.
    package func noteProgress() {
        progressedAt = ContinuousClock().now
    }

    /// Throws if the server sends data, but the session's task makes no progress.
    package func checkProgress() throws(ConnectionError) {
        guard let standstillLimit, ContinuousClock().now - progressedAt >= standstillLimit else { return }
        throw ConnectionError(
            .stalled,
            "server is there, but has sent nothing of what it was asked for in \(standstillLimit.secondsText) s")
    }

    /// Throws if an answer takes too long, even though the server sends data. The limit is longer than that for
    /// silence, and does not apply to a server whose silence may have a reason.
    func checkAnswer() throws(ConnectionError) {
        guard shield == nil, let silenceLimit, case .failure = silenceLimit.consequence else { return }
        let now = ContinuousClock().now, since = answeringSince ?? now
        answeringSince = since
        let limit = silenceLimit.limit * Self.answerTimeFactor
        guard now - since >= limit else { return }
        throw ConnectionError(
            .stalled, "server is there, but has not completed its answer in \(limit.secondsText) s")
    }

    /// How many times longer than a silence an incomplete answer may take.
    package static let answerTimeFactor = 10

    /// Restarts the limit for silence: input arrived, or nothing was awaited.
    func endSilence() {
        silentSince = nil
    }
}

extension ConnectionError {
    package static func stalled(for limit: Duration) -> ConnectionError {
        ConnectionError(.stalled, "server has sent nothing for \(limit.secondsText) s")
    }
}
