import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming

/// Handles a failed backup: finds the cause and undoes the run's changes.
extension BackupRun {
    /// The error that made the run fail: a failing writer or WAL stream raises the interrupt, so its error comes first.
    func rootCause(_ error: UnderstudyError) -> UnderstudyError {
        guard error.code == .cancelled else { return error }
        // An interrupted writer is not a cause.
        if let failure = target.failure, failure.code != .cancelled { return failure }
        if let failure = receiver?.failure {
            let cause = UnderstudyError(failure)
            if cause.code != .cancelled { return cause }
        }
        return UnderstudyError(.cancelled, "the base backup was cancelled")
    }

    func cleanUp(after error: UnderstudyError) -> UnderstudyError {
        interrupt.raise()
        flushLimit?.stop()
        session?.requestCancel()
        session = nil
        if let receiver {
            _ = receiver.abandon()
            self.receiver = nil
        }
        if error.code == .damagedPages || !options.cleanUp {
            if target.isMade { logger.notice("\(target.name) is kept") }
            if options.cleanUp {
                _ = slot?.dropMade(
                    parameters, silenceLimit: options.stallTimeout, hurry: hurry, note: nil,
                    logger: logger)
            } else if let name = slot?.made {
                logger.notice(
                    "replication slot \"\(name)\" is kept; drop it on the primary if it is not needed: \(SlotSQL.drop(name))"
                )
            }
        } else if target.isMade, target.keepsPartial {
            return keepingPartial(after: error)
        } else {
            undo()
        }
        return error
    }

    /// The slot goes: the next run has a backup of its own, for which it would hold WAL in vain.
    private func keepingPartial(after error: UnderstudyError) -> UnderstudyError {
        let remedy = target.keep()
        _ = slot?.dropMade(
            parameters, silenceLimit: options.stallTimeout, hurry: hurry, note: target.recordPlace, logger: logger)
        guard let remedy else {
            logger.info("\(target.name) is as it was", metadata: .own)
            return error
        }
        var error = error
        error.remedy = error.remedy.map { "\($0) \(remedy)" } ?? remedy
        return error
    }

    /// Removes a backup, complete or not, and drops the slot that was created for it.
    ///
    /// The target keeps a record of the slot until it is dropped, so the next run finds it if this one cannot drop it or
    /// is killed.
    package func undo() {
        if target.isMade, target.keepsPartial {
            // With its slot, which a standby made of it needs.
            if target.keep() == nil { logger.notice("\(target.name) is kept: it is complete") }
            return
        }
        // Files first: if the server does not answer, the connection that drops the slot may wait for a while.
        let said = removeTarget(keepingRecord: slot?.made != nil)
        guard let slot, slot.made != nil else { return }
        if slot.dropMade(
            parameters, silenceLimit: options.stallTimeout, hurry: hurry, note: target.recordPlace,
            logger: logger)
        {
            removeTarget(keepingRecord: false, said: said)
        }
    }

    /// - Parameter said: Failures that are already logged.
    /// - Returns: All failures.
    @discardableResult
    private func removeTarget(keepingRecord: Bool, said: [String] = []) -> [String] {
        guard target.isMade else { return [] }
        if keepingRecord || slot?.made == nil {
            logger.info("removing what was written to \(target.name)", metadata: .own)
        }
        let failures = target.undo(keepingRecord: keepingRecord).map { "could not clean up: \($0)" }
        let news = TruncatedList(failures.filter { !said.contains($0) })
        for line in news.lines("directories could not be cleaned up") { logger.warning("\(line)") }
        return failures
    }
}
