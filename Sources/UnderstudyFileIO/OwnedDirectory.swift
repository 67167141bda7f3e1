import Glibc

/// A directory that a run may fill, and how to leave things as they were if the run fails.
///
/// Absent: it is made, its parents too, and a failure removes what was made. Empty: it is filled, and a
/// failure empties it again. Anything else is refused before anything is touched.
package final class OwnedDirectory: Sendable {
    package enum Refusal: Error, Equatable {
        case notEmpty(String)
        /// A run has left it unfinished, or is filling it now.
        case unfinished(UnfinishedDirectory)
        case notADirectory(String)
        case failed(attempt: String, path: String, number: CInt)
    }

    package let directory: ConfinedDirectory
    /// What was made, outermost first; empty where the directory was there.
    private let made: [String]
    /// Mode and owner of a directory that was there.
    private let before: ModeAndOwner?
    /// Says that it is unfinished; nil where nobody asked for a mark.
    package let mark: UnfinishedMark?

    /// Looks whether the directory could be used, and touches nothing.
    package static func check(_ path: String) throws(Refusal) {
        var info = stat()
        if unsafe stat(path, &info) == 0 {
            guard info.st_mode & S_IFMT == S_IFDIR else { throw .notADirectory(path) }
            let isEmpty: Bool
            do throws(FileIOError) { isEmpty = try ConfinedDirectory(path: path).isEmpty() } catch {
                throw .init(error)
            }
            guard isEmpty else {
                throw UnfinishedDirectory.find(path).map { .unfinished($0) } ?? .notEmpty(path)
            }
            try checkWritable(path)
        } else if errno == ENOENT {
            try refuseDanglingLink(path)
            try checkWritable(nearestExisting(path))
        } else {
            throw .init(FileIOError("could not access directory", path))
        }
    }

    private static func checkWritable(_ path: String) throws(Refusal) {
        if unsafe access(path, W_OK | X_OK) != 0 { throw .init(FileIOError("could not write to directory", path)) }
    }

    private static func nearestExisting(_ path: String) throws(Refusal) -> String {
        var path = path
        while true {
            path = parent(of: path)
            var info = stat()
            if unsafe stat(path, &info) == 0 {
                guard info.st_mode & S_IFMT == S_IFDIR else { throw .notADirectory(path) }
                return path
            }
            if errno != ENOENT { throw .init(FileIOError("could not access directory", path)) }
            try refuseDanglingLink(path)
        }
    }

    /// A link that leads nowhere is no directory, but nothing can be made in its place either.
    private static func refuseDanglingLink(_ path: String) throws(Refusal) {
        var info = stat()
        if unsafe lstat(path, &info) == 0 { throw .notADirectory(path) }
    }

    /// Makes the directory, or takes it as it is if it is there and empty.
    ///
    /// - Parameters:
    ///   - run: Who fills it. With this the directory is marked as unfinished.
    ///   - syncs: Whether the mark is on stable storage when this returns.
    package init(
        _ path: String, mode: UInt16 = 0o700, owner: FileOwner? = nil, run: UnfinishedRecord? = nil, syncs: Bool = false
    ) throws(Refusal) {
        try Self.check(path)
        var missing: [String] = []
        var place = path
        var info = stat()
        while unsafe stat(place, &info) != 0 && errno == ENOENT {
            missing.insert(place, at: 0)
            place = Self.parent(of: place)
        }
        var made: [String] = []
        do throws(FileIOError) {
            for place in missing {
                _ = try SystemCall.run { unsafe mkdir(place, mode_t(mode)) }
                    .orThrow("could not create directory", place)
                made.append(place)
                let directory = try ConfinedDirectory(path: place, owner: owner)
                // The umask takes bits away: only bits beyond the owner's can be missing.
                if mode & 0o077 != 0 { try directory.setMode(mode) }
                try directory.takeOwnership()
            }
            directory = try ConfinedDirectory(path: path, owner: owner)
            self.made = made
            before = made.isEmpty ? try directory.modeAndOwner() : nil
            if var run {
                run.made = made
                run.before = before
                mark = try UnfinishedMark(in: directory, run, syncs: syncs)
            } else {
                mark = nil
            }
            // A server refuses a data directory that others may read. One that belongs to somebody else keeps its mode:
            // a backup can lie there, though no server of ours will start on it.
            if let before, before.mode != mode, geteuid() == 0 || geteuid() == before.owner.user {
                do throws(FileIOError) { try directory.setMode(mode) } catch {
                    try? mark?.remove()
                    throw error
                }
            }
        } catch {
            Self.remove(made)
            throw .init(error)
        }
    }

    /// Takes the place of a run that is gone, to undo what it did.
    init(_ directory: ConfinedDirectory, left record: UnfinishedRecord) {
        self.directory = directory
        made = record.made
        before = record.before
        mark = nil
    }

    /// Leaves things as they were before. The mark goes last: a run that is killed here leaves it behind too.
    package func restore() throws(FileIOError) {
        var failure: FileIOError?
        do throws(FileIOError) { try directory.removeContents(last: UnfinishedMark.name) } catch { failure = error }
        // Whatever could not be removed, the rest is put back all the same.
        do throws(FileIOError) {
            if let before, try directory.modeAndOwner().mode != before.mode { try directory.setMode(before.mode) }
            if let before { try directory.setOwner(before.owner) }
        } catch { failure = failure ?? error }
        Self.remove(made)
        if let failure { throw failure }
    }

    /// Removes what is in it, and keeps its mark.
    package func clear() throws(FileIOError) {
        try directory.removeContents(last: UnfinishedMark.name, keepsLast: true)
    }

    /// Puts the entries of what was made, in the directories above, on stable storage.
    package func syncParents() throws(FileIOError) {
        for place in made {
            try ConfinedDirectory(path: Self.parent(of: place)).sync()
        }
    }

    /// Removes empty directories, innermost first; one that others have filled meanwhile stays.
    private static func remove(_ made: [String]) {
        for place in made.reversed() {
            _ = unsafe rmdir(place)
        }
    }

    package static func parent(of path: String) -> String {
        var path = Substring(path)
        while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
        guard let slash = path.lastIndex(of: "/") else { return "." }
        let parent = path[..<slash]
        return parent.isEmpty ? "/" : String(parent)
    }
}

extension OwnedDirectory.Refusal {
    init(_ error: FileIOError) {
        self = .failed(attempt: error.attempt, path: error.path, number: error.number)
    }
}

/// The path without symbolic links: realpath(3). nil where it cannot be told.
package func realPath(_ path: String) -> String? {
    // realpath allocates the string that it returns when it is given none.
    guard let resolved = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
}

/// The path from the root directory on, by the current directory; links are not resolved.
package func absolutePath(_ path: String) -> String {
    guard !path.hasPrefix("/") else { return path }
    // getcwd allocates the string that it returns when it is given none.
    guard let current = unsafe getcwd(nil, 0) else { return path }
    defer { unsafe free(current) }
    return unsafe String(cString: current) + "/" + path
}
