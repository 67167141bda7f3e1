import Logging
import UnderstudyCore
import UnderstudyPlatform

/// How to treat files that a killed run left.
struct LeftoverPolicy: Sendable {
    /// Whether they are removed; otherwise they are refused. Files are removed only at paths that the user named for
    /// this run, or that the mark of the target names.
    var removes: Bool
    /// Whether the user wants them removed where that is allowed.
    var isWanted = false
    var trust = TrustedUsers()
    /// Names in the target on which empty file systems may be mounted.
    var mounts: [RelativePath] = []
    /// Ends a removal between two files.
    var interrupt: Interrupt?
    var logger: Logger

    /// Removes nothing.
    static var refuse: LeftoverPolicy { LeftoverPolicy(removes: false, logger: .silent) }

    /// For a path that the server named: nothing is removed there.
    var inPlaceOfServer: LeftoverPolicy {
        var leftovers = self
        leftovers.isWanted = removes
        leftovers.removes = false
        return leftovers
    }

    /// The kind of a directory.
    enum Place: String {
        /// The target: its mark names the run's other directories, which are handled with it.
        case target = "directory"
        case wal = "WAL directory"
        case tablespace = "tablespace directory"
    }

    /// Checks whether a directory can be used.
    ///
    /// Touches only the marks of a backup that turns out to be complete.
    ///
    /// - Returns: The leftovers that will be removed, if any.
    @discardableResult
    func check(_ path: String, _ place: Place) throws(UnderstudyError) -> UnfinishedDirectory? {
        let what = place.rawValue
        do throws(OwnedDirectory.Refusal) {
            try OwnedDirectory.check(path, trust: trust, mounts: place == .target ? mounts : [])
        } catch {
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

    /// Removes what an earlier run left in a directory and, for the target, in the run's other directories.
    func clear(_ path: String, _ place: Place) throws(UnderstudyError) {
        guard let directory = try check(path, place) else { return }
        let others = place == .target ? directory.others(trust: trust) : []
        let places = TruncatedList(([directory.path] + others).map { "\"\($0)\"" }).list
        logger.notice("removing the unfinished base backup in \(places)\(directory.record.origin)")
        if directory.record.held != nil {
            logger.notice("that base backup was made in a directory with contents, which are removed with it")
        }
        if place != .target, let slot = directory.record.slot {
            logger.warning("replication slot \"\(slot.name)\", which that base backup made, is kept")
        }
        do throws(FileIOError) {
            try directory.remove(trust: trust, includesOthers: place == .target, interrupt: interrupt)
        } catch { throw UnderstudyError(error) }
    }
}

extension UnfinishedRecord {
    /// `, begun at … by process …`, as far as known.
    var origin: String {
        var text = ""
        if let begun { text += ", begun at \(begun)" }
        if let process { text += (text.isEmpty ? ", begun" : "") + " by process \(process)" }
        return text
    }
}
