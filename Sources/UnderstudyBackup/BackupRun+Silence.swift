import UnderstudyConnection

/// A server that is silent: gone without a word, or with a reason?
extension BackupRun {
    /// For the time in which the server may have a reason to be silent: a checkpoint, or WAL that is archived.
    func expectSilence(_ session: Session) {
        session.patience = options.stallTimeout.map { Patience(limit: $0, .inquiry(isAlive)) }
    }

    func expectNoSilence(_ session: Session) {
        session.patience = options.stallTimeout.map { Patience(limit: $0, .failure) }
    }

    /// Asks the server over a connection of its own. Whatever it answers, it is alive.
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
