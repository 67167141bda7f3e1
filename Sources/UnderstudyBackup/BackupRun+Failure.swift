import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming

/// What happens when a backup fails: the cause is found, and what was made is undone.
extension BackupRun {
    /// A writer or the WAL stream that fails raises the interrupt: then theirs is the cause.
    func rootCause(_ error: UnderstudyError) -> UnderstudyError {
        guard error.code == .cancelled else { return error }
        // A writer that was interrupted has no cause of its own.
        do throws(UnderstudyError) { try pool?.throwFailure() } catch { if error.code != .cancelled { return error } }
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
            if targets != nil { logger.notice("directory \"\(path)\" is kept") }
            if options.cleanUp {
                _ = slot?.dropMade(
                    parameters, patience: options.stallTimeout, hurry: hurry, note: nil,
                    logger: logger)
            } else if let name = slot?.made {
                logger.notice(
                    "replication slot \"\(name)\" is kept; drop it on the primary if it is not needed: \(SlotSQL.drop(name))"
                )
            }
        } else {
            undo()
        }
        return error
    }

    /// Removes a backup, complete or not, and drops the slot that was made for it. As long as that slot may be there, a mark
    /// says so: the next run finds it, if this one cannot drop it or is killed meanwhile.
    package func undo() {
        // The files first: a server that does not answer may keep the slot's connection waiting for a while.
        let said = removeTargets(keepingMark: slot?.made != nil)
        guard let slot, slot.made != nil else { return }
        let note = targets?.hasMark == true ? path : nil
        if slot.dropMade(
            parameters, patience: options.stallTimeout, hurry: hurry, note: note, logger: logger)
        {
            removeTargets(keepingMark: false, said: said)
        }
    }

    /// - Parameter said: What could not be removed before, and need not be said again.
    /// - Returns: What could not be removed.
    @discardableResult
    private func removeTargets(keepingMark: Bool, said: [String] = []) -> [String] {
        guard let targets else { return [] }
        if keepingMark || slot?.made == nil { logger.info("removing what was written to \"\(path)\"") }
        let failures = targets.restore(keepingMark: keepingMark).map { "could not clean up: \($0)" }
        let news = SomeOfMany(failures.filter { !said.contains($0) })
        for line in news.lines("directories could not be cleaned up") { logger.warning("\(line)") }
        return failures
    }
}
