import Glibc
import UnderstudyBackupFormat
import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// The directories that a backup fills: the data directory, the WAL directory if it is separate, the tablespaces.
///
/// The data and WAL directories stay open. Tablespaces, of which there may be thousands, are open only while in use.
final class TargetDirectories {
    let data: OwnedDirectory
    var others: [OwnedDirectory.Closed] = []
    var wal: OwnedDirectory?
    /// Directories in the data directory that were created before the archive that contains them arrives.
    var premade: Set<String> = []
    /// By device number: opened before the first byte is written, so that no failure is missed.
    private var wholeFileSystems: [UInt64: DurableTree] = [:]
    private var syncedEach: [OwnedDirectory.Closed] = []
    private var places: OtherPlaces
    let owner: FileOwner?
    let mode: UInt16
    private let syncs: Bool
    private let syncMethod: BaseBackup.SyncMethod
    private let leftovers: LeftoverPolicy
    let interrupt: Interrupt?
    /// The record of this run, for its marks.
    private let run: UnfinishedRecord
    /// What the data directory was, if it was not empty.
    let existing: ExistingDirectory?
    /// Whether contents were changed that were there before.
    var hasChanged = false
    /// For ``restore(keepingMark:)``, which opens each level of a tree.
    let reserve: DescriptorReserve
    private static let reserved = 10
    /// Whether the mark of the data directory says that all is complete, or is gone.
    private(set) var isComplete = false

    /// Creates the data directory, or takes an empty one, or one that is made equal to its source.
    ///
    /// - Parameters:
    ///   - existing: The data directory, if it is not empty.
    ///   - cluster: What is copied, recorded in case this process is killed.
    ///   - slot: A permanent slot that this run created, recorded in case it is killed.
    ///   - takesMode: Whether an existing data directory gets the mode.
    ///   - interrupt: Checked before each directory.
    init(
        path: String, mode: UInt16, owner: FileOwner?, syncs: Bool, syncMethod: BaseBackup.SyncMethod = .automatic,
        leftovers: LeftoverPolicy = .refuse, slot: UnfinishedRecord.Slot? = nil, takesMode: Bool = true,
        existing: ExistingDirectory? = nil, cluster: UnfinishedRecord.Cluster? = nil, interrupt: Interrupt? = nil
    ) throws(UnderstudyError) {
        self.mode = mode
        self.owner = owner
        self.syncs = syncs
        self.syncMethod = syncMethod
        self.leftovers = leftovers
        self.interrupt = interrupt
        do throws(FileIOError) { reserve = try DescriptorReserve(Self.reserved, for: path) } catch {
            throw UnderstudyError(error)
        }
        if existing == nil { try leftovers.clear(path, .target) }
        self.existing = existing
        places = OtherPlaces(leftovers: leftovers, owner: owner, existing: existing)
        run = UnfinishedRecord.ofRun(goingOnFrom: existing?.left?.record, cluster)
        var record = run
        record.slot = slot
        do throws(OwnedDirectory.Refusal) {
            if let existing {
                record.others = existing.left?.record.others ?? []
                data = try OwnedDirectory(taking: path, as: .data, run: record, owner: owner)
            } else {
                data = try OwnedDirectory(
                    path, mode: mode, owner: owner, run: record, syncs: syncs,
                    adoption: takesMode ? [.mode, .owner] : .owner, mounts: leftovers.mounts)
            }
        } catch { throw UnderstudyError(error, what: "directory") }
        do throws(UnderstudyError) { try remember(data) } catch {
            reserve.release()
            try? data.restore()
            throw error
        }
    }

    var directory: ConfinedDirectory { data.directory }

    private func remember(_ owned: OwnedDirectory) throws(UnderstudyError) {
        do throws(FileIOError) {
            let tree = DurableTree(root: owned.directory, syncsEachFile: syncMethod.syncsEachFile)
            let device = try owned.directory.identity().device
            if tree.syncsEachFile {
                syncedEach.append(owned.closed)
            } else if wholeFileSystems[device] == nil {
                wholeFileSystems[device] = tree
            }
        } catch { throw UnderstudyError(error) }
        places.note(owned.directory.path)
    }

    private func checkInterrupt() throws(UnderstudyError) {
        if let interrupt, interrupt.isRaised { throw UnderstudyError(.cancelled, "interrupted") }
    }

    func makeTablespaceLink(_ oid: UInt32, to path: String) throws(UnderstudyError) {
        do throws(FileIOError) {
            try data.directory.makeSymbolicLink(RelativePath("pg_tblspc/\(oid)"), to: path)
        } catch { throw UnderstudyError(error) }
    }

    /// Whether another file system is mounted on the WAL directory.
    func hasMountedWAL(_ name: String) -> Bool { data.directory.isEmptyMount(RelativePath(name)) }

    /// Creates the WAL directory, in the data directory or at `path` with a link to it. Where another file system is
    /// mounted on its place, it takes that.
    func makeWALDirectory(named name: String, at path: String?) throws(UnderstudyError) -> ConfinedDirectory {
        let isMounted = path == nil && hasMountedWAL(name)
        if isMounted {
            wal = try makeOther("\(data.directory.path)/\(name)", .wal, isNamed: true, isMounted: true).directory
        } else if let path {
            wal = try makeOther(path, .wal, isNamed: true).directory
        }
        do throws(FileIOError) {
            let directory: ConfinedDirectory
            if isMounted, let wal {
                directory = wal.directory
            } else if let path, let wal {
                try data.directory.makeSymbolicLink(RelativePath(name), to: path)
                directory = wal.directory
            } else {
                try data.directory.makeDirectory(RelativePath(name), mode: mode)
                directory = try data.directory.openDirectory(RelativePath(name))
            }
            // What an interrupted run has left may have one.
            if !directory.exists("archive_status") { try directory.makeDirectory("archive_status", mode: mode) }
            premade.formUnion([name, "\(name)/archive_status"])
            return directory
        } catch { throw UnderstudyError(error) }
    }

    /// - Parameter isNamed: Whether the user named the path; otherwise the server did.
    func makeTablespace(at path: String, isNamed: Bool = true) throws(UnderstudyError) -> MemberRoot {
        let made = try makeOther(path, .tablespace, isNamed: isNamed)
        return MemberRoot(
            place: .closed(made.directory.closed), manifestPrefix: nil, syncsEachFile: syncs && made.syncsEachFile)
    }

    /// Creates the directory of a tablespace inside the data directory (possible on servers from 15).
    func makeInPlaceTablespace(_ oid: UInt32) throws(UnderstudyError) -> MemberRoot {
        try checkInterrupt()
        do throws(FileIOError) {
            if premade.insert("pg_tblspc").inserted { try makeDirectory("pg_tblspc") }
            let path = "pg_tblspc/\(oid)"
            try makeDirectory(RelativePath(path))
            premade.insert(path)
            var root = root(data, prefix: nil)
            root.place = .beneath(directory, RelativePath(path))
            return root
        } catch { throw UnderstudyError(error) }
    }

    func makeOther(
        _ path: String, _ place: LeftoverPolicy.Place, isNamed: Bool, isMounted: Bool = false
    ) throws(UnderstudyError) -> (directory: OwnedDirectory, syncsEachFile: Bool) {
        let what = place.rawValue
        try checkInterrupt()
        let isTaken = try places.isTaken(path)
        if !isTaken { try places.leftovers(isNamed: isNamed).clear(path, place) }
        if !isNamed { try places.checkOwner(of: path, place) }
        do throws(FileIOError) { try data.mark?.addOther(path) } catch { throw UnderstudyError(error) }
        let owned: OwnedDirectory
        do throws(OwnedDirectory.Refusal) {
            owned =
                isTaken
                ? try OwnedDirectory(
                    taking: path, as: place == .wal ? .wal : .tablespace, run: run, data: data.closed.noted,
                    owner: owner)
                : try OwnedDirectory(
                    path, mode: mode, owner: owner, run: run, data: data.closed.noted, syncs: syncs,
                    adoption: place == .wal ? [.mode, .owner] : isNamed ? .owner : [])
        } catch { throw UnderstudyError(error, what: what) }
        others.append(owned.closed)
        if !isMounted { try places.checkLinks(path, place) }
        try remember(owned)
        let tree = DurableTree(root: owned.directory, syncsEachFile: syncMethod.syncsEachFile)
        return (owned, tree.syncsEachFile)
    }

    func root(_ owned: OwnedDirectory, prefix: MemberPath?) -> MemberRoot {
        let tree = DurableTree(root: owned.directory, syncsEachFile: syncMethod.syncsEachFile)
        return MemberRoot(
            place: .open(owned.directory), manifestPrefix: prefix, syncsEachFile: syncs && tree.syncsEachFile)
    }

    /// Puts the directories themselves and their entries on stable storage.
    func syncNames() throws(UnderstudyError) {
        for closed in [data.closed] + others {
            try checkInterrupt()
            do throws(FileIOError) {
                try closed.open().sync()
                try closed.syncParents()
            } catch { throw UnderstudyError(error) }
        }
    }

    /// Puts everything on stable storage, including the directories' own entries.
    func sync() throws(UnderstudyError) {
        do throws(FileIOError) {
            // One syncfs covers everything on a file system.
            for tree in wholeFileSystems.values { try tree.sync() }
            for closed in syncedEach {
                try DurableTree(root: closed.open(), syncsEachFile: true).sync(interrupt: interrupt)
            }
        } catch { throw UnderstudyError(error) }
        for closed in [data.closed] + others {
            try checkInterrupt()
            do throws(FileIOError) { try closed.syncParents() } catch { throw UnderstudyError(error) }
        }
    }

    /// Marks the backup as complete, and removes the marks, that of the data directory last.
    ///
    /// From the first step on the backup is complete, whatever happens to this process: marks that remain then are
    /// recognized as those of a complete backup.
    func removeMarks() throws(UnderstudyError) {
        try checkInterrupt()
        isComplete = true
        do throws(FileIOError) { try data.mark?.set(.complete) } catch { throw UnderstudyError(error) }
        for closed in others {
            try checkInterrupt()
            do throws(FileIOError) {
                let directory = try closed.open()
                try directory.remove(UnfinishedMark.name)
                if syncs { try directory.sync() }
            } catch { throw UnderstudyError(error) }
        }
        do throws(FileIOError) {
            try data.mark?.remove()
            if syncs { try directory.sync() }
        } catch { throw UnderstudyError(error) }
    }

    /// Whether the data directory is marked as unfinished.
    var hasMark: Bool { directory.exists(UnfinishedMark.name) }
}
