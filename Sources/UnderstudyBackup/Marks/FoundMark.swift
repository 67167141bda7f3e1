import CUnderstudyLinux
import Glibc
import UnderstudyPlatform

/// A mark and its directory, both open. All decisions and changes use these descriptors: no path is looked up twice.
final class FoundMark {
    let directory: ConfinedDirectory
    let record: UnfinishedRecord
    private let file: FileDescriptor
    private let trust: TrustedUsers
    /// Whether only the user of this process can have written it. Root also accepts marks made by the owner that it
    /// names, but trusts them only with what that user could do without root.
    let isOwn: Bool
    private let isLocked: Bool
    private let lock: FileLock.Kind
    private let identity: FileIdentity
    private let directoryUser: UInt32

    /// More than enough for all tablespaces of a run: it bounds the length of their locations.
    private static let sizeLimit = 4 << 20

    /// Opens the mark of a directory; nil if there is none.
    ///
    /// - Parameter lock: How the mark is locked meanwhile: to look at it, or to act on it.
    init?(_ path: String, trust: TrustedUsers, lock: FileLock.Kind) throws(MarkFlaw) {
        guard let directory = try? ConfinedDirectory(path: path) else { return nil }
        let name = UnfinishedMark.name
        let file: FileDescriptor
        do throws(FileIOError) {
            // A pipe or a device must not even be opened; the directory opened in its place is no regular file either.
            let isFile = try directory.status(of: name).st_mode & S_IFMT == S_IFREG
            file = try directory.openFile(isFile ? name : ".", flags: O_RDONLY | O_NONBLOCK)
        } catch {
            if error.number == ENOENT { return nil }
            throw .cannotBeRead(number: error.number)
        }
        self.directory = directory
        self.trust = trust
        var mark = stat()
        // fstat fills the struct.
        guard unsafe fstat(file.rawValue, &mark) == 0, let own = try? directory.ownStatus() else {
            throw .cannotBeRead(number: errno)
        }
        guard mark.st_mode & S_IFMT == S_IFREG else { throw .notAFile }
        guard mark.st_nlink == 1 else { throw .hasOtherNames }
        isOwn = mark.st_uid == trust.user
        guard isOwn || mark.st_uid == trust.owner else { throw .belongs(to: mark.st_uid) }
        guard mark.st_mode & 0o022 == 0 else {
            throw .isWritable(mode: UInt16(truncatingIfNeeded: mark.st_mode & 0o7777))
        }
        guard isOwn || own.st_uid == mark.st_uid else { throw .directoryBelongs(to: own.st_uid) }
        guard mark.st_size <= Self.sizeLimit else { throw .isTooLarge }
        identity = FileIdentity(own)
        directoryUser = own.st_uid
        self.lock = lock
        isLocked = !FileLock.take(lock, of: file.rawValue, waitLimit: lock == .probe ? .zero : FileLock.waitLimit)
        let bytes: [UInt8]
        do throws(FileIOError) {
            bytes = try file.read(atMost: Int(mark.st_size), path: directory.fullPath(name))
        } catch { throw .cannotBeRead(number: error.number) }
        do throws(UnfinishedRecord.Flaw) {
            record = try UnfinishedRecord(reading: String(decoding: bytes, as: UTF8.self))
        } catch {
            switch error {
            case .format(let number): throw .format(number)
            case .line(let line): throw .line(line)
            }
        }
        self.file = file
        try check()
    }

    deinit {
        // A child process that has not executed its program yet would keep the lock.
        if !isLocked { FileLock.release(file.rawValue) }
    }

    private func check() throws(MarkFlaw) {
        if isLocked { return }
        guard record.stage != .made else {
            // The run was killed before it put anything in: then nothing else is there, but for a mount for WAL.
            guard (try? directory.count(upTo: 2, besidesMounts: UnfinishedDirectory.namesOfWAL)) == 1 else {
                throw .isNotWhole
            }
            return
        }
        guard let noted = record.directory, identity.matches(noted, isSameBoot: record.isOfThisBoot),
            record.made.last.map({ $0.identity == noted }) ?? true
        else { throw .isOfAnotherDirectory }
        if record.stage == .emptied { return }
        guard mayChangeDirectory else { throw .directoryBelongs(to: directoryUser) }
    }

    private var mayChangeDirectory: Bool { mayChange(directoryUser) }

    private func mayChange(_ user: UInt32) -> Bool {
        isOwn ? user == trust.user || user == trust.owner : user == trust.owner
    }

    /// Whether the directory has this mark still, and no other one in its place.
    var isInPlace: Bool {
        var own = stat()
        // fstat fills the struct.
        guard unsafe fstat(file.rawValue, &own) == 0, let named = try? directory.status(of: UnfinishedMark.name) else {
            return false
        }
        return FileIdentity(own) == FileIdentity(named)
    }

    /// Whether a run may put its own mark in place of this one: nobody else works there, and of another directory than the
    /// data directory, the mark is of the same run and data directory.
    ///
    /// - Parameter data: The data directory, if this is another one. Its mark is the new run's by now.
    func mayBeReplaced(by run: UnfinishedRecord, _ data: RecordedDirectory?) -> Bool {
        guard !isLocked else { return false }
        guard let data else {
            let state = try? state()
            return state == .abandoned || state == .served
        }
        if record.stage == .made && (record.run.isEmpty || record.run == run.run) { return true }
        guard record.run == run.run, let noted = record.data else { return false }
        return data.identity.matches(noted.identity, isSameBoot: record.isOfThisBoot)
    }

    // MARK: - State

    func state() throws(MarkFlaw) -> UnfinishedDirectory.State {
        if isLocked { return .inUse }
        if record.stage == .made || record.stage == .emptied { return .abandoned }
        if wasUsedByServer { return .served }
        if record.stage == .complete { return .complete }
        return try record.data.map(state(by:)) ?? .abandoned
    }

    /// A server writes both at its start, and no base backup has either.
    private var wasUsedByServer: Bool { directory.exists("postmaster.opts") || directory.exists("postmaster.pid") }

    /// The state of a directory other than the run's data directory, read from the data directory.
    ///
    /// While another directory of the run is marked, its data directory is, too: that mark is made first and removed
    /// last. A data directory without it holds a completed backup, or is a different directory by now.
    private func state(by noted: RecordedDirectory) throws(MarkFlaw) -> UnfinishedDirectory.State {
        let data: ConfinedDirectory, isEmpty: Bool, isTheSame: Bool
        do throws(FileIOError) {
            data = try ConfinedDirectory(path: noted.path)
            isTheSame = try data.identity().matches(noted.identity, isSameBoot: record.isOfThisBoot)
            isEmpty = try data.isEmpty()
        } catch {
            if error.number == ENOENT || error.number == ENOTDIR { return .abandoned }
            throw .dataDirectory(noted.path)
        }
        guard isTheSame, !isEmpty else { return .abandoned }
        do throws(MarkFlaw) {
            guard let found = try FoundMark(noted.path, trust: trust, lock: .probe) else { return .complete }
            if found.record.run != record.run && !found.isLocked { return .abandoned }
            return try found.state()
        } catch { throw .dataDirectory(noted.path) }
    }

    /// Calls `body` for the run's other directories that exist, are marked, and belong to this one, in reverse order.
    /// Opens one at a time: there may be thousands.
    func withOthers<Failure: Error>(_ body: (FoundMark) throws(Failure) -> Void) throws(Failure) {
        for path in record.others.reversed() {
            guard let other = try? FoundMark(path, trust: trust, lock: lock), !other.isLocked, other.isOwn == isOwn,
                isOfThisRun(other.record), record.stage == .complete || !other.wasUsedByServer,
                isMountedWAL(other.directory) || !other.directory.isNested(with: directory)
            else { continue }
            try body(other)
        }
    }

    /// Whether it is another file system, mounted on the WAL directory of this one.
    private func isMountedWAL(_ other: ConfinedDirectory) -> Bool {
        guard UnfinishedDirectory.namesOfWAL.contains(where: { other.path == "\(directory.path)/\($0)" }),
            let own = try? directory.identity().device, let device = try? other.identity().device
        else { return false }
        return own != device
    }

    private func isOfThisRun(_ other: UnfinishedRecord) -> Bool {
        // A mark at its first stage lies in an otherwise empty directory.
        if other.stage == .made && (other.run.isEmpty || other.run == record.run) { return true }
        guard other.run == record.run, let data = other.data else { return false }
        return identity.matches(data.identity, isSameBoot: record.isOfThisBoot)
    }

    // MARK: - Removal

    /// Restores the directory to its state before the run.
    func restore(_ interrupt: Interrupt?) throws(FileIOError) {
        let isOurs = record.directory.map { identity.matches($0, isSameBoot: record.isOfThisBoot) } ?? false
        guard isOurs, mayChangeDirectory else { return try removeMark() }
        var undoing = OwnedDirectory.Undoing(
            directory: directory, made: record.made, before: record.before, isSameBoot: record.isOfThisBoot)
        // A mark of that user's own may contain anything.
        undoing.changesOwner = isOwn
        undoing.mayRemove = mayChange
        undoing.removesContents = record.stage == .filling
        if record.held == .tablespace {
            // What other servers have there is not this run's.
            undoing.removesContents = false
            if record.stage == .filling { try removeVersionDirectories(interrupt) }
        }
        try undoing.run(interrupt)
    }

    /// Removes the directories that a tablespace's directory has for servers of the run's version.
    private func removeVersionDirectories(_ interrupt: Interrupt?) throws(FileIOError) {
        guard let major = record.cluster?.major else { return }
        var names: [RelativePath] = []
        try directory.forEachEntry { entry throws(FileIOError) in
            if entry.kind == .directory, entry.name.description.hasPrefix("PG_\(major)_") { names.append(entry.name) }
            return true
        }
        for name in names { try directory.removeTree(name, interrupt: interrupt) }
    }

    /// Removes the mark, and nothing else.
    func removeMark() throws(FileIOError) {
        try directory.remove(UnfinishedMark.name)
        try directory.sync()
    }
}

extension ConfinedDirectory {
    /// Whether one of the two lies in the other, or both are the same; true if unknown.
    fileprivate func isNested(with other: ConfinedDirectory) -> Bool {
        isInside(other) || other.isInside(self)
    }

    private func isInside(_ other: ConfinedDirectory) -> Bool {
        guard let wanted = try? other.identity(), var here = try? identity() else { return true }
        var place = rawDescriptor
        var above: Parent?
        while here != wanted {
            let raw = understudy_openat_parent(place)
            guard raw >= 0 else { return true }
            let parent = Parent(FileDescriptor(owning: raw))
            var info = stat()
            // fstat fills the struct.
            guard unsafe fstat(raw, &info) == 0 else { return true }
            // The root directory is its own parent.
            if FileIdentity(info) == here { return false }
            here = FileIdentity(info)
            place = raw
            above = parent
        }
        return withExtendedLifetime(above) { true }
    }
}
