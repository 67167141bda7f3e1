import Logging
import UnderstudyFileIO
import UnderstudySource

/// What is to be done where an earlier run, which was killed, has left its files.
struct Leftovers: Sendable {
    /// Whether they are removed; else they are refused.
    var removes: Bool
    var trust = MarkTrust()
    /// Ends a removal between two files.
    var interrupt: Interrupt?
    var logger: Logger

    /// Nothing is removed.
    static var refuse: Leftovers { Leftovers(removes: false, logger: .silent) }

    /// Looks whether a directory can be used.
    ///
    /// Nothing is touched but the marks of a backup that turns out to be complete.
    ///
    /// - Returns: What lies there and will be removed.
    @discardableResult
    func check(_ path: String, what: String) throws(UnderstudyError) -> UnfinishedDirectory? {
        do throws(OwnedDirectory.Refusal) { try OwnedDirectory.check(path, trust: trust) } catch {
            guard removes, case .unfinished(let directory) = error else {
                throw UnderstudyError(error, what: what, trust: trust)
            }
            switch directory.state {
            case .abandoned: return directory
            case .complete:
                do throws(FileIOError) { try directory.removeMarks(trust: trust) } catch {
                    throw UnderstudyError(error)
                }
                throw UnderstudyError(
                    .target, "\(what) \"\(path)\" holds a complete base backup\(directory.record.origin)",
                    detail: "What its process, which was killed, had left besides is removed now.",
                    hint: "Use it as it is, or name another directory.")
            default: throw UnderstudyError(error, what: what, trust: trust)
            }
        }
        return nil
    }

    /// Removes what an earlier run has left in a directory, and in the others that it filled.
    func clear(_ path: String, what: String) throws(UnderstudyError) {
        guard let directory = try check(path, what: what) else { return }
        let places = SomeOfMany(([directory.path] + directory.others(trust: trust)).map { "\"\($0)\"" }).list
        logger.notice("removing the unfinished base backup in \(places)\(directory.record.origin)")
        do throws(FileIOError) { try directory.remove(trust: trust, interrupt: interrupt) } catch {
            throw UnderstudyError(error)
        }
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
