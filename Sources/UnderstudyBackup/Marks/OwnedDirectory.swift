import Glibc
package import UnderstudyPlatform

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

    /// What is known of the directory while it is not open.
    package struct Closed: Sendable {
        package let path: String
        package let identity: FileIdentity
        /// What was made, outermost first; empty where the directory was there.
        fileprivate let made: [NotedDirectory]
        /// Mode and owner of a directory that was there.
        fileprivate let before: ModeAndOwner?
        fileprivate let owner: FileOwner?
        fileprivate let syncs: Bool
        fileprivate let record: UnfinishedRecord?

        /// As an entry of a mark.
        package var noted: NotedDirectory { NotedDirectory(path: absolutePath(path), identity: identity) }

        /// Opens it. An error if something else has its path by now.
        package func open() throws(FileIOError) -> ConfinedDirectory {
            let directory = try ConfinedDirectory(path: path, owner: owner)
            guard try directory.identity() == identity else {
                throw FileIOError("could not find again directory", path, number: ESTALE)
            }
            return directory
        }

        /// Puts the entries of what was made, in the directories above, on stable storage.
        package func syncParents() throws(FileIOError) {
            for noted in made {
                try ConfinedDirectory(path: noted.path.parentPath).sync()
            }
        }
    }

    /// What is changed about a directory that was there. It is put back if the run fails.
    package struct Adoption: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }

        /// It gets the mode.
        package static let mode = Adoption(rawValue: 1)
        /// It is given to the owner.
        package static let owner = Adoption(rawValue: 2)
    }

    package let directory: ConfinedDirectory
    package let closed: Closed
    /// Says that it is unfinished; nil where nobody asked for a mark, or it is gone.
    package let mark: UnfinishedMark?

    /// Looks whether the directory could be used, and touches nothing.
    package static func check(_ path: String, trust: MarkTrust = MarkTrust()) throws(Refusal) {
        var info = stat()
        if unsafe stat(path, &info) == 0 {
            guard info.st_mode & S_IFMT == S_IFDIR else { throw .notADirectory(path) }
            let isEmpty: Bool
            do throws(FileIOError) { isEmpty = try ConfinedDirectory(path: path).isEmpty() } catch {
                throw .init(error)
            }
            guard isEmpty else {
                throw UnfinishedDirectory.find(path, trust: trust).map { .unfinished($0) } ?? .notEmpty(path)
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
            path = path.parentPath
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
    ///   - data: The data directory of the run, if this is another one.
    ///   - syncs: Whether the mark is on stable storage when this returns.
    ///   - adoption: What is changed if it is there.
    package init(
        _ path: String, mode: UInt16 = 0o700, owner: FileOwner? = nil, run: UnfinishedRecord? = nil,
        data: NotedDirectory? = nil, syncs: Bool = false, adoption: Adoption = [.mode, .owner]
    ) throws(Refusal) {
        try Self.check(path, trust: MarkTrust(owner: owner))
        let making = Making(mode: mode, owner: owner, syncs: syncs, adoption: adoption)
        do throws(FileIOError) {
            let (directory, made) = try making.make(path)
            let before: ModeAndOwner?
            do throws(FileIOError) { before = made.isEmpty ? try directory.modeAndOwner() : nil } catch {
                directory.removeWithParents(made, isSameBoot: true) { _ in true }
                throw error
            }
            let undoing = Undoing(directory: directory, made: made, before: before, isSameBoot: true)
            do throws(FileIOError) {
                let identity = try directory.identity()
                var record = run
                record?.directory = identity
                record?.made = made
                record?.before = before
                record?.data = data
                mark = try making.mark(directory, record, before)
                self.directory = directory
                closed = Closed(
                    path: path, identity: identity, made: made, before: before, owner: owner, syncs: syncs,
                    record: record)
            } catch {
                var undoing = undoing
                undoing.removesContents = false
                try? undoing.run(nil)
                throw error
            }
        } catch {
            throw error.number == ENOTEMPTY ? .notEmpty(path) : .init(error)
        }
    }

    /// Opens again what this process has made or taken before.
    package init(reopening closed: Closed) throws(FileIOError) {
        directory = try closed.open()
        self.closed = closed
        mark =
            if closed.record != nil, directory.exists(UnfinishedMark.name) {
                // Some network file systems give what is made to another user.
                try? UnfinishedMark(reopening: directory, syncs: closed.syncs)
            } else { nil }
    }

    /// The mark, made anew if it is gone.
    ///
    /// - Parameter change: What is different from when the first mark was made.
    package func markAgain(_ change: (inout UnfinishedRecord) -> Void) throws(FileIOError) -> UnfinishedMark? {
        if let mark, directory.exists(UnfinishedMark.name) { return mark }
        guard var record = closed.record else { return nil }
        change(&record)
        return try UnfinishedMark(inFilled: directory, record, syncs: false)
    }

    /// Leaves things as they were before. The mark goes last: a run that is killed here leaves it behind too.
    package func restore() throws(FileIOError) {
        try Undoing(directory: directory, made: closed.made, before: closed.before, isSameBoot: true).run(nil)
    }

    /// Removes what is in it, and keeps its mark.
    package func clear() throws(FileIOError) {
        try directory.removeContents(except: UnfinishedMark.name)
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

/// The path without symbolic links, of something that need not be there yet: what follows the nearest directory that is
/// there stays as it is.
package func realPathToBe(_ path: String) -> String {
    var place = path, missing: [Substring] = []
    while true {
        if let real = realPath(place) { return ([real] + missing.map(String.init)).joined(separator: "/") }
        let parent = place.parentPath
        guard parent != place, let name = place.pathComponents.last else { return path }
        missing.insert(name, at: 0)
        place = parent
    }
}
