import Logging
import UnderstudyCore
import UnderstudyPlatform

/// What is to be done where an earlier run, which was killed, has left its files.
struct Leftovers: Sendable {
    /// Whether they are removed; else they are refused. Never is anything removed but in a place that the user has named
    /// for this run, or that the mark of the target names.
    var removes: Bool
    /// Whether the user wants them removed where that may be done.
    var isWanted = false
    var trust = MarkTrust()
    /// Ends a removal between two files.
    var interrupt: Interrupt?
    var logger: Logger

    /// Nothing is removed.
    static var refuse: Leftovers { Leftovers(removes: false, logger: .silent) }

    /// Of a place that the server has named: nothing is removed there.
    var inPlaceOfServer: Leftovers {
        var leftovers = self
        leftovers.isWanted = removes
        leftovers.removes = false
        return leftovers
    }

    /// What a place is.
    enum Place: String {
        /// The target: its mark names the others of its run, which are looked after with it.
        case target = "directory"
        case wal = "WAL directory"
        case tablespace = "tablespace directory"
    }

    /// Looks whether a directory can be used.
    ///
    /// Nothing is touched but the marks of a backup that turns out to be complete.
    ///
    /// - Returns: What lies there and will be removed.
    @discardableResult
    func check(_ path: String, _ place: Place) throws(UnderstudyError) -> UnfinishedDirectory? {
        let what = place.rawValue
        do throws(OwnedDirectory.Refusal) { try OwnedDirectory.check(path, trust: trust) } catch {
            guard removes, case .unfinished(let directory) = error else {
                var refusal = UnderstudyError(error, what: what, trust: trust)
                if isWanted, case .unfinished = error {
                    refusal.detail = "The server has named that place, and not this command: nothing in it is removed."
                }
                throw refusal
            }
            switch directory.state {
            case .abandoned: return directory
            case .complete:
                do throws(FileIOError) {
                    try directory.removeMarks(trust: trust, includesOthers: place == .target)
                } catch { throw UnderstudyError(error) }
                throw UnderstudyError(
                    .target, "\(what) \"\(path)\" holds a complete base backup\(directory.record.origin)",
                    detail: "What its process, which was killed, had left besides is removed now.",
                    hint: "Use it as it is, or name another directory.")
            default: throw UnderstudyError(error, what: what, trust: trust)
            }
        }
        return nil
    }

    /// Removes what an earlier run has left in a directory and, of the target, in the others that it filled.
    func clear(_ path: String, _ place: Place) throws(UnderstudyError) {
        guard let directory = try check(path, place) else { return }
        let others = place == .target ? directory.others(trust: trust) : []
        let places = SomeOfMany(([directory.path] + others).map { "\"\($0)\"" }).list
        logger.notice("removing the unfinished base backup in \(places)\(directory.record.origin)")
        if place != .target, let slot = directory.record.slot {
            logger.warning("replication slot \"\(slot.name)\", which that base backup made, is kept")
        }
        do throws(FileIOError) {
            try directory.remove(trust: trust, includesOthers: place == .target, interrupt: interrupt)
        } catch { throw UnderstudyError(error) }
    }
}

extension UnfinishedRecord {
    /// `, begun at … by process …`, as far as it is known.
    var origin: String {
        var text = ""
        if let begun { text += ", begun at \(begun)" }
        if let process { text += (text.isEmpty ? ", begun" : "") + " by process \(process)" }
        return text
    }
}
