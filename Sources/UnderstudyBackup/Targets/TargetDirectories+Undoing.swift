import Glibc
import UnderstudyPlatform

extension TargetDirectories {
    /// Restores the previous state, and returns what could not be removed.
    ///
    /// - Parameter keepingMark: Keeps only the data directory, with its mark; a second call removes both.
    func restore(keepingMark: Bool = false) -> [FileIOError] {
        reserve.release()
        let mark = isComplete ? markAgain() : nil
        var failures: [FileIOError] = []
        // In reverse order of creation, so that parents are empty when their turn comes.
        for closed in others.reversed() {
            do throws(FileIOError) { try OwnedDirectory(reopening: closed).restore() } catch {
                if error.number != ENOENT || realPath(closed.path) != nil { failures.append(error) }
            }
        }
        // This mark names the others: it stays as long as one of them could not be restored.
        let keepsMark = !failures.isEmpty || (keepingMark && hasMark)
        do throws(FileIOError) { if keepsMark { try data.clear() } else { try data.restore() } } catch {
            failures.append(error)
        }
        return withExtendedLifetime(mark) { failures }
    }

    /// Marks a complete backup as unfinished again before it is removed. Until all marks are there, the mark of the
    /// data directory says that all is complete.
    private func markAgain() -> UnfinishedMark? {
        // From a standby that was started and stopped. The next run would not remove a directory that has them.
        for name: RelativePath in ["postmaster.opts", "postmaster.pid"] { try? directory.remove(name) }
        // Removal goes on even if there is no room for a mark.
        let mark = try? data.markAgain { record in
            record.others = others.map(\.noted.path)
            record.stage = .complete
        }
        for closed in others { _ = try? OwnedDirectory(reopening: closed).markAgain { $0.stage = .filling } }
        try? mark?.set(.filling)
        return mark
    }
}
