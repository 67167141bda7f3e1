import UnderstudyConnection

/// Distinguishes a server that has a reason to be silent from one that is gone.
extension SourceContext {
    /// For phases in which the server may have a reason to be silent: a checkpoint, or waiting for WAL to be archived.
    func expectSilence(of session: Session) {
        guard let limit = options.stallTimeout else { return session.silenceLimit = nil }
        // The session must not hold the context, which may hold the session.
        let parameters = parameters, interrupt = interrupt
        session.silenceLimit = SilenceLimit(
            limit: limit,
            .inquiry { () throws(ConnectionError) in
                do throws(ConnectionError) {
                    // Any answer, even a refusal, shows that the server is alive.
                    _ = try Session.connect(
                        parameters, kind: .replication, applicationName: "understudy", interrupt: interrupt,
                        silenceLimit: limit)
                } catch {
                    switch error.code {
                    case .interrupted: throw error
                    case .timedOut, .unreachable:
                        var stalled = ConnectionError.stalled(for: limit)
                        stalled.message += ", and a new connection could not be made: \(error.message)"
                        throw stalled
                    default: break
                    }
                }
            })
    }

    func expectNoSilence(of session: Session) {
        session.silenceLimit = options.stallTimeout.map { SilenceLimit(limit: $0, .failure) }
    }
}
