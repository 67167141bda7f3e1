import Glibc
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyWAL

/// Removes what a plan says. Takes no lock: an archiver that writes into the archive goes on, and touches only files that no
/// plan has.
struct ArchivePruner {
    private let directory: ConfinedDirectory
    private let interrupt: Interrupt

    init(_ path: String, _ interrupt: Interrupt) throws(UnderstudyError) {
        directory = try ArchiveSnapshot.open(path).directory
        self.interrupt = interrupt
    }

    func remove(_ plan: ArchivePruning) throws(UnderstudyError) -> ArchivePruning.Outcome {
        var outcome = ArchivePruning.Outcome()
        do throws(FileIOError) {
            let names = Set(try directory.archiveEntries().files.map(\.name))
            let removable = plan.stillRemovable(beside: names)
            let stays = Set(plan.removed).subtracting(removable)
            outcome.changed = plan.removed.filter(stays.contains).map(\.name)
            for file in removable {
                if interrupt.isRaised { throw .interrupted(directory.path) }
                guard let now = try directory.archivedFile(file.name) else { continue }
                guard now == file else {
                    outcome.changed.append(file.name)
                    continue
                }
                try remove(file, &outcome)
            }
            try sync(outcome)
        } catch {
            try? sync(outcome)
            var failure = UnderstudyError(error)
            failure.detail =
                "Before that, \(outcome.removed) of \(plan.removed.count) files were removed, oldest first."
            throw failure
        }
        return outcome
    }

    private func remove(_ file: ArchivedFile, _ outcome: inout ArchivePruning.Outcome) throws(FileIOError) {
        do throws(FileIOError) { try directory.remove(RelativePath(file.name)) } catch  where error.number == ENOENT {
            // Another program was faster.
            return
        }
        outcome.removed += 1
        outcome.bytes += file.isLink ? 0 : file.bytes
        outcome.links += file.isLink ? 1 : 0
    }

    private func sync(_ outcome: ArchivePruning.Outcome) throws(FileIOError) {
        if outcome.removed > 0 { try directory.sync() }
    }
}
