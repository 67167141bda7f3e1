import Glibc
import UnderstudyPlatform

extension OwnedDirectory {
    /// Creates and marks a directory.
    struct Making {
        let mode: UInt16
        let owner: FileOwner?
        let syncs: Bool
        let adoption: Adoption
        let mounts: [RelativePath]

        /// Creates the missing directories of a path; a failure removes them again.
        ///
        /// - Returns: The directory, and the directories that were created, outermost first.
        func make(_ path: String) throws(FileIOError) -> (ConfinedDirectory, [RecordedDirectory]) {
            var missing: [String] = []
            var place = path
            var info = stat()
            while unsafe stat(place, &info) != 0 && errno == ENOENT {
                missing.insert(place, at: 0)
                place = place.parentPath
            }
            var made: [RecordedDirectory] = []
            var innermost: ConfinedDirectory?
            do throws(FileIOError) {
                for place in missing {
                    _ = try SystemCall.run { unsafe mkdir(place, mode_t(mode)) }
                        .orThrow("could not create directory", place)
                    do throws(FileIOError) {
                        let directory = try ConfinedDirectory(path: place, owner: owner, followsLink: false)
                        made.append(RecordedDirectory(path: absolutePath(place), identity: try directory.identity()))
                        innermost = directory
                        // The umask clears bits: only bits beyond the owner's can be missing.
                        if mode & 0o077 != 0 { try directory.setMode(mode) }
                        try directory.takeOwnership()
                    } catch {
                        // A directory that is not empty stays: it is not the one that was created.
                        if innermost?.path != place { _ = unsafe rmdir(place) }
                        throw error
                    }
                }
                if let innermost { return (innermost, made) }
                return (try ConfinedDirectory(path: path, owner: owner), [])
            } catch {
                innermost?.removeWithParents(made, isSameBoot: true) { _ in true }
                throw error
            }
        }

        /// Marks an empty directory, then sets mode and owner if it existed before.
        ///
        /// Throws ENOTEMPTY if another process has begun to fill it.
        func mark(
            _ directory: ConfinedDirectory, _ record: UnfinishedRecord?, _ before: ModeAndOwner?
        ) throws(FileIOError) -> UnfinishedMark? {
            let mark: UnfinishedMark? =
                if let record { try UnfinishedMark(in: directory, record, syncs: syncs) } else { nil }
            if let before {
                if adoption.contains(.owner) { try directory.takeOwnership() }
                // A server refuses a data directory that others may read. Another user's directory keeps its mode: a
                // backup can lie there, though no server of ours will start in it.
                if adoption.contains(.mode), before.mode != mode, geteuid() == 0 || geteuid() == before.owner.user {
                    try directory.setMode(mode)
                }
                let known = mark == nil ? 0 : 1
                guard try directory.count(upTo: known + 1, besidesMounts: mounts) == known else {
                    throw FileIOError("could not use directory", directory.path, number: ENOTEMPTY)
                }
            }
            try mark?.set(.filling)
            if syncs, mark != nil { try directory.sync() }
            return mark
        }
    }
}
