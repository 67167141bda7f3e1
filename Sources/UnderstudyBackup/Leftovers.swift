import Logging
import UnderstudyConnection
import UnderstudyFileIO
import UnderstudyProtocol
import UnderstudySource

/// What is to be done where an earlier run, which was killed, has left its files.
struct Leftovers: Sendable {
    /// Whether they are removed; else they are refused.
    var removes: Bool
    var logger: Logger

    /// Nothing is removed.
    static var refuse: Leftovers { Leftovers(removes: false, logger: .silent) }

    /// Looks whether a directory can be used, and touches nothing.
    ///
    /// - Returns: What lies there and will be removed.
    @discardableResult
    func check(_ path: String, what: String) throws(UnderstudyError) -> UnfinishedDirectory? {
        do throws(OwnedDirectory.Refusal) { try OwnedDirectory.check(path) } catch {
            if removes, case .unfinished(let directory) = error, directory.state == .abandoned { return directory }
            throw UnderstudyError(error, what: what)
        }
        return nil
    }

    /// Removes what an earlier run has left in a directory, and in the others that it filled.
    func clear(_ path: String, what: String) throws(UnderstudyError) {
        guard let directory = try check(path, what: what) else { return }
        let places = SomeOfMany(([directory] + directory.others).map { "\"\($0.path)\"" }).list
        logger.notice("removing the unfinished base backup in \(places)\(directory.record.origin)")
        do throws(FileIOError) { try directory.remove() } catch { throw UnderstudyError(error) }
    }

    /// Drops the slot that an earlier run has made, if this server has it.
    func dropSlot(
        _ slot: UnfinishedRecord.Slot, _ session: Session, _ identity: SystemIdentity
    ) throws(UnderstudyError) {
        guard slot.systemIdentifier == identity.systemIdentifier else {
            logger.warning(
                "the unfinished base backup is of another server, where replication slot \"\(slot.name)\" holds WAL until it is dropped"
            )
            return
        }
        do throws(ConnectionError) {
            try SlotKeeper.drop(slot.name, session)
            logger.notice("dropped replication slot \"\(slot.name)\" of the unfinished base backup")
        } catch  where error.sqlState == "42704" {
            // Somebody has dropped it already.
        } catch { throw UnderstudyError(error, of: .slot) }
    }
}

extension UnfinishedRecord {
    /// `, begun at … by process …`, as far as it is known.
    fileprivate var origin: String {
        var text = ""
        if let begun { text += ", begun at \(begun)" }
        if let process { text += (text.isEmpty ? ", begun" : "") + " by process \(process)" }
        return text
    }
}

extension UnderstudyError {
    init(_ directory: UnfinishedDirectory, what: String) {
        let record = directory.record
        switch directory.state {
        case .inUse:
            self.init(
                .target, "\(what) \"\(directory.path)\" is being filled by another base backup\(record.origin)",
                hint: "Wait for its end, or name another directory.")
        case .served:
            self.init(
                .target,
                "\(what) \"\(directory.path)\" holds a base backup that was not finished, and a server has been started in it since",
                hint: "Look at what it holds: nothing but you removes it. Or name another directory.")
        case .abandoned:
            let others = directory.others.map { "\"\($0.path)\"" }
            var traces: [String] = []
            if !others.isEmpty { traces.append("filled \(SomeOfMany(others).list)") }
            if let slot = record.slot { traces.append("made replication slot \"\(slot.name)\"") }
            self.init(
                .target, "\(what) \"\(directory.path)\" holds an unfinished base backup\(record.origin)",
                detail: traces.isEmpty ? nil : "It also \(traces.joined(separator: " and ")).",
                hint: "Use --force-clean to remove all that it left, or name another directory.")
        }
    }
}
