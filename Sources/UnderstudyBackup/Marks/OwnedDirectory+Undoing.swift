import Glibc
import UnderstudyPlatform

extension OwnedDirectory {
    /// Restores a directory to its state before a run.
    ///
    /// Each step leaves a state that the next run understands if this one is killed: the mark is removed last, and
    /// records that all files of the run are gone before mode and owner are restored, which may give others access.
    struct Undoing {
        let directory: ConfinedDirectory
        let made: [RecordedDirectory]
        /// Mode and owner of a directory that existed.
        let before: ModeAndOwner?
        /// Whether the device numbers in `made` are still valid: the machine has not restarted since.
        let isSameBoot: Bool
        /// Whether the recorded owner is trusted.
        var changesOwner = true
        /// Whether to remove more than the mark.
        var removesContents = true
        /// Whether directories of a user, among those made, are removed.
        var mayRemove: (UInt32) -> Bool = { _ in true }

        func run(_ interrupt: Interrupt?) throws(FileIOError) {
            let mark = UnfinishedMark.name
            if removesContents { try directory.removeCopy(interrupt) }
            let isMarked = directory.exists(mark)
            if let before {
                if isMarked, removesContents {
                    // Best effort: it matters only if the process is killed from here on.
                    try? UnfinishedMark(reopening: directory, syncs: false).set(.emptied)
                }
                let mode = changesOwner ? before.mode : before.mode & 0o777
                if try directory.modeAndOwner().mode != mode { try directory.setMode(mode) }
                if changesOwner { try directory.setOwner(before.owner) }
            }
            if isMarked { try directory.remove(mark) }
            directory.removeWithParents(made, isSameBoot: isSameBoot, mayRemove: mayRemove)
        }
    }
}

extension ConfinedDirectory {
    /// Removes all but the mark, and first the control file: from then on it is no data directory.
    func removeCopy(_ interrupt: Interrupt? = nil) throws(FileIOError) {
        // If it cannot be removed, that is said below.
        try? remove(ControlFilePlace.name)
        try removeContents(except: UnfinishedMark.name, interrupt: interrupt)
    }
}
