import UnderstudyArchive
import UnderstudyConfiguration
import UnderstudyFileIO
import UnderstudyProtocol
import UnderstudySource

/// The directories that a backup fills: the data directory, the WAL directory if it is apart, the tablespaces.
final class BackupTargets {
    let data: OwnedDirectory
    private var others: [OwnedDirectory] = []
    private(set) var wal: OwnedDirectory?
    /// Directories in the data directory that were made before the archive that has them arrives.
    private(set) var premade: Set<String> = []
    private var trees: [Tree] = []
    private let owner: FileOwner?
    private let mode: UInt16
    private let syncs: Bool
    private let syncMethod: BaseBackup.SyncMethod
    private let leftovers: Leftovers
    /// The mark of this run.
    private let run = UnfinishedRecord.ofNewRun()

    private struct Tree {
        let durable: DurableTree
        let device: UInt64
    }

    /// Makes the data directory, or takes one that is empty.
    init(
        path: String, mode: UInt16, owner: FileOwner?, syncs: Bool, syncMethod: BaseBackup.SyncMethod = .automatic,
        leftovers: Leftovers = .refuse
    ) throws(UnderstudyError) {
        self.mode = mode
        self.owner = owner
        self.syncs = syncs
        self.syncMethod = syncMethod
        self.leftovers = leftovers
        try leftovers.clear(path, what: "directory")
        do throws(OwnedDirectory.Refusal) {
            data = try OwnedDirectory(path, mode: mode, owner: owner, run: run, syncs: syncs)
        } catch { throw UnderstudyError(error, what: "directory") }
        do throws(UnderstudyError) { try remember(data) } catch {
            try? data.restore()
            throw error
        }
    }

    var directory: ConfinedDirectory { data.directory }

    private func remember(_ owned: OwnedDirectory) throws(UnderstudyError) {
        do throws(FileIOError) {
            try owned.directory.takeOwnership()
            trees.append(
                Tree(
                    durable: DurableTree(root: owned.directory, syncsEachFile: syncMethod.syncsEachFile),
                    device: try owned.directory.freeSpace().device))
        } catch { throw UnderstudyError(error) }
    }

    /// Makes the WAL directory, in the data directory or at `path` with a link to it.
    func makeWALDirectory(named name: String, at path: String?) throws(UnderstudyError) -> ConfinedDirectory {
        if let path { wal = try makeOther(path, what: "WAL directory") }
        do throws(FileIOError) {
            let directory: ConfinedDirectory
            if let path, let wal {
                try data.directory.makeSymbolicLink(RelativePath(name), to: path)
                directory = wal.directory
            } else {
                try data.directory.makeDirectory(RelativePath(name), mode: mode)
                directory = try data.directory.openDirectory(RelativePath(name))
            }
            try directory.makeDirectory("archive_status", mode: mode)
            premade.formUnion([name, "\(name)/archive_status"])
            return directory
        } catch { throw UnderstudyError(error) }
    }

    func makeTablespace(at path: String) throws(UnderstudyError) -> MemberRoot {
        root(try makeOther(path, what: "tablespace directory"), prefix: nil)
    }

    /// Makes the directory of a tablespace that lies in the data directory itself (servers from 15 can have them).
    func makeInPlaceTablespace(_ oid: UInt32) throws(UnderstudyError) -> MemberRoot {
        do throws(FileIOError) {
            if premade.insert("pg_tblspc").inserted { try directory.makeDirectory("pg_tblspc", mode: mode) }
            let path = "pg_tblspc/\(oid)"
            try directory.makeDirectory(RelativePath(path), mode: mode)
            premade.insert(path)
            var root = root(data, prefix: nil)
            root.directory = try directory.openDirectory(RelativePath(path))
            return root
        } catch { throw UnderstudyError(error) }
    }

    /// Notes a permanent slot in the mark, for the case that this run is killed.
    func note(_ slot: UnfinishedRecord.Slot) throws(UnderstudyError) {
        do throws(FileIOError) { try data.mark?.add(slot) } catch { throw UnderstudyError(error) }
    }

    private func makeOther(_ path: String, what: String) throws(UnderstudyError) -> OwnedDirectory {
        try leftovers.clear(path, what: what)
        do throws(FileIOError) { try data.mark?.addOther(path) } catch { throw UnderstudyError(error) }
        let owned: OwnedDirectory
        do throws(OwnedDirectory.Refusal) {
            owned = try OwnedDirectory(path, mode: mode, owner: owner, run: run, syncs: syncs)
        } catch { throw UnderstudyError(error, what: what) }
        others.append(owned)
        try remember(owned)
        // By their texts they were compared before; a symbolic link may still lead from one into another.
        for earlier in [data] + others.dropLast() {
            guard let one = realPath(owned.directory.path), let other = realPath(earlier.directory.path),
                pathIsInside(one, other) || pathIsInside(other, one)
            else { continue }
            throw UnderstudyError(
                .target, "\(what) \"\(path)\" leads into \"\(earlier.directory.path)\" by a symbolic link",
                hint: "Choose a directory of its own.")
        }
        return owned
    }

    func root(_ owned: OwnedDirectory, prefix: MemberPath?) -> MemberRoot {
        let syncsEach = syncs && (trees.first { $0.durable.root === owned.directory }?.durable.syncsEachFile ?? true)
        return MemberRoot(directory: owned.directory, manifestPrefix: prefix, syncsEachFile: syncsEach)
    }

    /// Puts the directories themselves on stable storage.
    func syncNames() throws(UnderstudyError) {
        do throws(FileIOError) {
            for owned in [data] + others {
                try owned.directory.sync()
                try owned.syncParents()
            }
        } catch { throw UnderstudyError(error) }
    }

    /// Puts everything on stable storage, the directories' own entries included.
    func sync() throws(UnderstudyError) {
        do throws(FileIOError) {
            var synced: Set<UInt64> = []
            for tree in trees {
                // One syncfs covers all trees on a file system.
                if !tree.durable.syncsEachFile && !synced.insert(tree.device).inserted { continue }
                try tree.durable.sync()
            }
            for owned in [data] + others { try owned.syncParents() }
        } catch { throw UnderstudyError(error) }
    }

    /// Says that everything is complete: takes away the marks, that of the data directory last.
    func removeMarks() throws(UnderstudyError) {
        do throws(FileIOError) {
            for owned in others + [data] {
                try owned.mark?.remove()
                if syncs { try owned.directory.sync() }
            }
        } catch { throw UnderstudyError(error) }
    }

    /// Whether a mark in the data directory says that it is unfinished.
    var hasMark: Bool { directory.exists(UnfinishedMark.name) }

    /// Leaves everything as it was. What cannot be removed is returned.
    ///
    /// - Parameter keepingMark: Only the data directory stays, with its mark; a second call takes them away.
    func restore(keepingMark: Bool = false) -> [FileIOError] {
        var failures: [FileIOError] = []
        // The other way round than they were made, so that parents are empty when their turn comes.
        for owned in others.reversed() {
            do throws(FileIOError) { try owned.restore() } catch { failures.append(error) }
        }
        others = []
        do throws(FileIOError) { if keepingMark && hasMark { try data.clear() } else { try data.restore() } } catch {
            failures.append(error)
        }
        return failures
    }
}
