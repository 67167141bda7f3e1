import Glibc
package import UnderstudyPlatform

/// A directory that a run may fill, and how to restore its previous state if the run fails.
///
/// If absent, it is created with its parents, and a failure removes them. If empty, it is filled, and a failure empties
/// it again. Anything else is refused before anything is touched.
package final class OwnedDirectory: Sendable {
    package enum Refusal: Error, Equatable {
        case notEmpty(String)
        /// An earlier run left it unfinished, or a run is filling it now.
        case unfinished(UnfinishedDirectory)
        /// Another run has marked it, and so it is not taken with its contents.
        case marked(UnfinishedDirectory)
        case notADirectory(String)
        case failed(attempt: String, path: String, number: CInt)
    }

    /// The facts about the directory while it is not open.
    package struct Closed: Sendable {
        package let path: String
        package let identity: FileIdentity
        /// The directories that were created, outermost first; empty if the directory existed.
        fileprivate let made: [RecordedDirectory]
        /// Mode and owner of a directory that existed.
        fileprivate let before: ModeAndOwner?
        fileprivate let owner: FileOwner?
        fileprivate let syncs: Bool
        fileprivate let record: UnfinishedRecord?
        /// Whether it was not empty: then nothing is ever removed from it but what the new contents replace.
        package let isTaken: Bool

        init(
            path: String, identity: FileIdentity, made: [RecordedDirectory], before: ModeAndOwner?, owner: FileOwner?,
            syncs: Bool, record: UnfinishedRecord?, isTaken: Bool = false
        ) {
            self.path = path
            self.identity = identity
            self.made = made
            self.before = before
            self.owner = owner
            self.syncs = syncs
            self.record = record
            self.isTaken = isTaken
        }

        /// Its record for a mark.
        package var noted: RecordedDirectory { RecordedDirectory(path: absolutePath(path), identity: identity) }

        /// Opens it. Throws if its path now leads to something else.
        package func open() throws(FileIOError) -> ConfinedDirectory {
            let directory = try ConfinedDirectory(path: path, owner: owner)
            guard try directory.identity() == identity else {
                throw FileIOError("could not find again directory", path, number: ESTALE)
            }
            return directory
        }

        /// Puts the entries of the created directories, in their parents, on stable storage.
        package func syncParents() throws(FileIOError) {
            for noted in made {
                try ConfinedDirectory(path: noted.path.parentPath).sync()
            }
        }
    }

    /// The changes to an existing directory. Undone if the run fails.
    package struct Adoption: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }

        /// The mode is set.
        package static let mode = Adoption(rawValue: 1)
        /// The owner is set.
        package static let owner = Adoption(rawValue: 2)
    }

    package let directory: ConfinedDirectory
    package let closed: Closed
    /// Marks the directory as unfinished; nil if no mark was requested, or it is gone.
    package let mark: UnfinishedMark?

    /// Checks whether the directory could be used, and touches nothing.
    ///
    /// - Parameter mounts: Names of directories that may be there, with an empty file system mounted on each.
    package static func check(
        _ path: String, trust: TrustedUsers = TrustedUsers(), mounts: [RelativePath] = []
    ) throws(Refusal) {
        var info = stat()
        if unsafe stat(path, &info) == 0 {
            guard info.st_mode & S_IFMT == S_IFDIR else { throw .notADirectory(path) }
            let isEmpty: Bool
            do throws(FileIOError) { isEmpty = try ConfinedDirectory(path: path).isEmpty(besidesMounts: mounts) } catch
            {
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

    /// A dangling link is no directory, and nothing can be created in its place.
    private static func refuseDanglingLink(_ path: String) throws(Refusal) {
        var info = stat()
        if unsafe lstat(path, &info) == 0 { throw .notADirectory(path) }
    }

    /// Creates the directory, or takes an existing one that is empty.
    ///
    /// - Parameters:
    ///   - run: The run that fills it. If given, the directory is marked as unfinished.
    ///   - data: The data directory of the run, if this is a different one.
    ///   - syncs: Whether the mark is on stable storage when this returns.
    ///   - adoption: What to change if it exists.
    ///   - mounts: As in ``check(_:trust:mounts:)``.
    package init(
        _ path: String, mode: UInt16 = 0o700, owner: FileOwner? = nil, run: UnfinishedRecord? = nil,
        data: RecordedDirectory? = nil, syncs: Bool = false, adoption: Adoption = [.mode, .owner],
        mounts: [RelativePath] = []
    ) throws(Refusal) {
        try Self.check(path, trust: TrustedUsers(owner: owner), mounts: mounts)
        let making = Making(mode: mode, owner: owner, syncs: syncs, adoption: adoption, mounts: mounts)
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

    /// For directories that are not empty: see `OwnedDirectory+Taking.swift`.
    init(directory: ConfinedDirectory, closed: Closed, mark: UnfinishedMark) {
        self.directory = directory
        self.closed = closed
        self.mark = mark
    }

    /// Opens a directory again that this process created or took before.
    package init(reopening closed: Closed) throws(FileIOError) {
        directory = try closed.open()
        self.closed = closed
        mark =
            if closed.record != nil, directory.exists(UnfinishedMark.name) {
                // Some network file systems give new files to another user.
                try? UnfinishedMark(reopening: directory, syncs: closed.syncs)
            } else { nil }
    }

    /// Returns the mark, created again if it is gone.
    ///
    /// - Parameter change: Updates the record for the new mark.
    package func markAgain(_ change: (inout UnfinishedRecord) -> Void) throws(FileIOError) -> UnfinishedMark? {
        if let mark, directory.exists(UnfinishedMark.name) { return mark }
        guard var record = closed.record else { return nil }
        change(&record)
        return try UnfinishedMark(inFilled: directory, record, syncs: false)
    }

    /// Restores the previous state. The mark is removed last: a run that is killed here leaves it behind too.
    package func restore() throws(FileIOError) {
        guard !closed.isTaken else { return }
        try Undoing(directory: directory, made: closed.made, before: closed.before, isSameBoot: true).run(nil)
    }

    /// Removes the contents, and keeps the mark.
    package func clear() throws(FileIOError) {
        guard !closed.isTaken else { return }
        try directory.removeCopy()
    }
}

extension OwnedDirectory.Refusal {
    init(_ error: FileIOError) {
        self = .failed(attempt: error.attempt, path: error.path, number: error.number)
    }
}

/// The path without symbolic links: realpath(3). nil if it cannot be resolved.
package func realPath(_ path: String) -> String? {
    // realpath allocates the string that it returns when it is given none.
    guard let resolved = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
}

/// The path without symbolic links, even if it does not exist yet: the part after the nearest existing directory stays
/// as it is.
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
