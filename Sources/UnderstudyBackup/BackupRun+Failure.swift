import Logging
import UnderstudyConnection
import UnderstudyFileIO
import UnderstudyReceiver
import UnderstudySource

/// What happens when a backup fails: the cause is found, and what was made is undone.
extension BackupRun {
    /// A writer or the WAL stream that fails raises the interrupt: then theirs is the cause.
    func rootCause(_ error: UnderstudyError) -> UnderstudyError {
        guard error.code == .cancelled else { return error }
        do throws(UnderstudyError) { try pool?.throwFailure() } catch { return error }
        if let failure = receiver?.failure {
            let cause = UnderstudyError(failure)
            if cause.code != .cancelled { return cause }
        }
        return UnderstudyError(.cancelled, "the base backup was cancelled")
    }

    func cleanUp(after error: UnderstudyError) -> UnderstudyError {
        interrupt.raise()
        session?.requestCancel()
        session = nil
        if let receiver {
            _ = receiver.abandon()
            self.receiver = nil
        }
        if error.code == .damagedPages || !options.cleanUp {
            if targets != nil { logger.notice("directory \"\(path)\" is kept") }
            if options.cleanUp {
                slot?.dropMade(parameters, logger: logger)
            } else if let name = slot?.made {
                logger.notice(
                    "replication slot \"\(name)\" is kept; drop it on the primary if it is not needed: SELECT pg_drop_replication_slot('\(name)');"
                )
            }
        } else {
            undo()
        }
        return error
    }

    private func removeTargets() {
        guard let targets else { return }
        logger.info("removing what was written to \"\(path)\"")
        for failure in targets.restore() { logger.warning("could not clean up: \(failure)") }
    }

    /// Removes a backup, complete or not, and drops the slot that was made for it.
    package func undo() {
        // The files first: a server that does not answer may keep the slot's connection waiting for a while.
        removeTargets()
        slot?.dropMade(parameters, logger: logger)
    }
}
