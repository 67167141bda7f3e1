import CUnderstudyLinux
import Glibc
import UnderstudyPlatform

/// A mark and its directory, open. All that is decided is decided on these descriptors, and all that is done is done to
/// them: no path is looked up twice.
final class FoundMark {
    let directory: ConfinedDirectory
    let record: UnfinishedRecord
    private let file: FileDescriptor
    private let trust: MarkTrust
    /// Whether only the user that runs this can have written it. Root also takes marks that the owner it names has made,
    /// but believes of them only what that user could do without root.
    private let isOwn: Bool
    private let isLocked: Bool
    private let lock: FileLock.Kind
    private let identity: FileIdentity
    private let directoryUser: UInt32

    /// More than enough for all tablespaces that a run takes: it bounds the length of their locations.
    private static let sizeLimit = 4 << 20

    /// Opens the mark of a directory; nil where there is none.
    ///
    /// - Parameter lock: How it is kept from others meanwhile: to look, or to act on it.
    init?(_ path: String, trust: MarkTrust, lock: FileLock.Kind) throws(MarkFlaw) {
        guard let directory = try? ConfinedDirectory(path: path) else { return nil }
        let name = UnfinishedMark.name
        let file: FileDescriptor
        do throws(FileIOError) {
            // A pipe or a device must not even be opened; the directory in its place is no file either.
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
        isLocked = !FileLock.take(lock, of: file.rawValue, patience: lock == .look ? .zero : FileLock.patience)
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
        // A child that has not executed its program yet would keep it.
        if !isLocked { FileLock.giveBack(file.rawValue) }
    }

    private func check() throws(MarkFlaw) {
        if isLocked { return }
        guard record.stage != .made else {
            // Killed before it put anything in: then nothing else is there.
            guard (try? directory.count(upTo: 2)) == 1 else { throw .isNotWhole }
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

    // MARK: - What became of it

    func state() throws(MarkFlaw) -> UnfinishedDirectory.State {
        if isLocked { return .inUse }
        if record.stage == .made || record.stage == .emptied { return .abandoned }
        if wasServed { return .served }
        if record.stage == .complete { return .complete }
        return try record.data.map(state(by:)) ?? .abandoned
    }

    /// A server writes both at its start, and no base backup holds either.
    private var wasServed: Bool { directory.exists("postmaster.opts") || directory.exists("postmaster.pid") }

    /// What became of a directory that is not the data directory of its run, as that one tells.
    ///
    /// As long as another directory of the run is marked, its data directory is, too: that mark is made first and goes
    /// last. A data directory without it holds something that was completed, or is another one by now.
    private func state(by noted: NotedDirectory) throws(MarkFlaw) -> UnfinishedDirectory.State {
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
            guard let found = try FoundMark(noted.path, trust: trust, lock: .look) else { return .complete }
            if found.record.run != record.run && !found.isLocked { return .abandoned }
            return try found.state()
        } catch { throw .dataDirectory(noted.path) }
    }

    /// Does something to the other directories of the run that are there, are marked, and belong to this one, the last one
    /// first. One after the other is open: there may be thousands.
    func withOthers<Failure: Error>(_ body: (FoundMark) throws(Failure) -> Void) throws(Failure) {
        for path in record.others.reversed() {
            guard let other = try? FoundMark(path, trust: trust, lock: lock), !other.isLocked, other.isOwn == isOwn,
                isOfThisRun(other.record), record.stage == .complete || !other.wasServed,
                !other.directory.isNested(with: directory)
            else { continue }
            try body(other)
        }
    }

    private func isOfThisRun(_ other: UnfinishedRecord) -> Bool {
        // A mark that was only begun stands in a directory that is empty otherwise.
        if other.stage == .made && (other.run.isEmpty || other.run == record.run) { return true }
        guard other.run == record.run, let data = other.data else { return false }
        return identity.matches(data.identity, isSameBoot: record.isOfThisBoot)
    }

    // MARK: - What is done to it

    /// Leaves the directory as it was before the run.
    func restore(_ interrupt: Interrupt?) throws(FileIOError) {
        let isOurs = record.directory.map { identity.matches($0, isSameBoot: record.isOfThisBoot) } ?? false
        guard isOurs, mayChangeDirectory else { return try removeMark() }
        var undoing = OwnedDirectory.Undoing(
            directory: directory, made: record.made, before: record.before, isSameBoot: record.isOfThisBoot)
        // What is noted in a mark of that user's own may be anything.
        undoing.changesOwner = isOwn
        undoing.mayRemove = mayChange
        undoing.removesContents = record.stage == .filling
        try undoing.run(interrupt)
    }

    /// Takes the mark away, and nothing else.
    func removeMark() throws(FileIOError) {
        try directory.remove(UnfinishedMark.name)
        try directory.sync()
    }
}

extension ConfinedDirectory {
    /// Whether one of the two lies in the other, or both are the same; true if it cannot be told.
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
