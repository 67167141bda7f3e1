import Glibc
import UnderstudyPlatform

extension OwnedDirectory {
    /// How a directory is left as it was before a run.
    ///
    /// Each step leaves something that the next run understands if this one is killed: the mark goes when nothing else is
    /// left, and says before mode and owner are put back, which may let others in, that all which is the run's is gone.
    struct Undoing {
        let directory: ConfinedDirectory
        let made: [NotedDirectory]
        /// Mode and owner of a directory that was there.
        let before: ModeAndOwner?
        /// Whether the devices of `made` have kept their numbers.
        let isSameBoot: Bool
        /// Whether the owner that was noted is to be believed.
        var changesOwner = true
        /// Whether anything but the mark is removed.
        var removesContents = true
        /// Whose directories among those made are removed.
        var mayRemove: (UInt32) -> Bool = { _ in true }

        func run(_ interrupt: Interrupt?) throws(FileIOError) {
            let mark = UnfinishedMark.name
            if removesContents { try directory.removeContents(except: mark, interrupt: interrupt) }
            let isMarked = directory.exists(mark)
            if let before {
                if isMarked, removesContents {
                    // Where it cannot be noted, a kill from here on only makes the next run look at less.
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
