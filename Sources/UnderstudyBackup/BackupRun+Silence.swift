import UnderstudyConnection

/// Distinguishes a server that has a reason to be silent from one that is gone.
extension BackupRun {
    /// For phases in which the server may have a reason to be silent: a checkpoint, or waiting for WAL to be archived.
    func expectSilence(_ session: Session) {
        session.patience = options.stallTimeout.map { SilenceLimit(limit: $0, .inquiry(isAlive)) }
    }

    func expectNoSilence(_ session: Session) {
        session.patience = options.stallTimeout.map { SilenceLimit(limit: $0, .failure) }
    }

    /// Connects to the server again: any answer, even a refusal, shows that it is alive.
    private func isAlive() throws(ConnectionError) {
        guard let limit = options.stallTimeout else { return }
        do throws(ConnectionError) {
            _ = try Session.connect(
                parameters, kind: .replication, applicationName: "understudy", interrupt: interrupt, patience: limit)
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
    }
}
