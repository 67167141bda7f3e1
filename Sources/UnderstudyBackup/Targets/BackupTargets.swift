import Glibc
import UnderstudyBackupFormat
import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// The directories that a backup fills: the data directory, the WAL directory if it is apart, the tablespaces.
///
/// Data and WAL directory stay open. Tablespaces, of which there may be thousands, are open while something is done to
/// them.
final class BackupTargets {
    let data: OwnedDirectory
    private var others: [OwnedDirectory.Closed] = []
    private(set) var wal: OwnedDirectory?
    /// Directories in the data directory that were made before the archive that has them arrives.
    private(set) var premade: Set<String> = []
    /// By the number of the device: opened before the first byte is written, so that no failure goes unseen.
    private var wholeFileSystems: [UInt64: DurableTree] = [:]
    private var syncedEach: [OwnedDirectory.Closed] = []
    /// The real path of each directory and those above it, with the path of that directory.
    private var realPaths: [String: String] = [:], realParents: [String: String] = [:]
    private let owner: FileOwner?
    private let mode: UInt16
    private let syncs: Bool
    private let syncMethod: BaseBackup.SyncMethod
    private let leftovers: Leftovers
    private let interrupt: Interrupt?
    /// The mark of this run.
    private let run = UnfinishedRecord.ofNewRun()
    /// Whether the mark of the data directory says that all is complete, or is gone.
    private var isComplete = false

    /// Makes the data directory, or takes one that is empty.
    ///
    /// - Parameters:
    ///   - slot: A permanent slot that this run has made, noted for the case that it is killed.
    ///   - takesMode: Whether a data directory that was there gets the mode.
    ///   - interrupt: Looked at before each directory.
    init(
        path: String, mode: UInt16, owner: FileOwner?, syncs: Bool, syncMethod: BaseBackup.SyncMethod = .automatic,
        leftovers: Leftovers = .refuse, slot: UnfinishedRecord.Slot? = nil, takesMode: Bool = true,
        interrupt: Interrupt? = nil
    ) throws(UnderstudyError) {
        self.mode = mode
        self.owner = owner
        self.syncs = syncs
        self.syncMethod = syncMethod
        self.leftovers = leftovers
        self.interrupt = interrupt
        try leftovers.clear(path, .target)
        var record = run
        record.slot = slot
        do throws(OwnedDirectory.Refusal) {
            data = try OwnedDirectory(
                path, mode: mode, owner: owner, run: record, syncs: syncs,
                adoption: takesMode ? [.mode, .owner] : .owner)
        } catch { throw UnderstudyError(error, what: "directory") }
        do throws(UnderstudyError) { try remember(data) } catch {
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
        if let path = realPath(owned.directory.path) {
            realPaths[path] = owned.directory.path
            for parent in Self.parents(of: path) { realParents[parent] = owned.directory.path }
        }
    }

    /// The directories above a path that has neither links nor doubled slashes.
    private static func parents(of path: String) -> [String] {
        var parents: [String] = [], path = path
        while path != "/" {
            path = path.parentPath
            parents.append(path)
        }
        return parents
    }

    private func checkInterrupt() throws(UnderstudyError) {
        if let interrupt, interrupt.isRaised { throw UnderstudyError(.cancelled, "interrupted") }
    }

    func makeTablespaceLink(_ oid: UInt32, to path: String) throws(UnderstudyError) {
        do throws(FileIOError) {
            try data.directory.makeSymbolicLink(RelativePath("pg_tblspc/\(oid)"), to: path)
        } catch { throw UnderstudyError(error) }
    }

    /// Makes the WAL directory, in the data directory or at `path` with a link to it.
    func makeWALDirectory(named name: String, at path: String?) throws(UnderstudyError) -> ConfinedDirectory {
        if let path { wal = try makeOther(path, .wal, isNamed: true).directory }
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

    /// - Parameter isNamed: Whether the user has named the place; else it is the server's word.
    func makeTablespace(at path: String, isNamed: Bool = true) throws(UnderstudyError) -> MemberRoot {
        let made = try makeOther(path, .tablespace, isNamed: isNamed)
        return MemberRoot(
            place: .closed(made.directory.closed), manifestPrefix: nil, syncsEachFile: syncs && made.syncsEachFile)
    }

    /// Makes the directory of a tablespace that lies in the data directory itself (servers from 15 can have them).
    func makeInPlaceTablespace(_ oid: UInt32) throws(UnderstudyError) -> MemberRoot {
        try checkInterrupt()
        do throws(FileIOError) {
            if premade.insert("pg_tblspc").inserted { try directory.makeDirectory("pg_tblspc", mode: mode) }
            let path = "pg_tblspc/\(oid)"
            try directory.makeDirectory(RelativePath(path), mode: mode)
            premade.insert(path)
            var root = root(data, prefix: nil)
            root.place = .beneath(directory, RelativePath(path))
            return root
        } catch { throw UnderstudyError(error) }
    }

    private func makeOther(
        _ path: String, _ place: Leftovers.Place, isNamed: Bool
    ) throws(UnderstudyError) -> (directory: OwnedDirectory, syncsEachFile: Bool) {
        let what = place.rawValue
        try checkInterrupt()
        try (isNamed ? leftovers : leftovers.inPlaceOfServer).clear(path, place)
        if !isNamed { try checkOwner(of: path, what) }
        do throws(FileIOError) { try data.mark?.addOther(path) } catch { throw UnderstudyError(error) }
        let owned: OwnedDirectory
        do throws(OwnedDirectory.Refusal) {
            owned = try OwnedDirectory(
                path, mode: mode, owner: owner, run: run, data: data.closed.noted, syncs: syncs,
                adoption: place == .wal ? [.mode, .owner] : isNamed ? .owner : [])
        } catch { throw UnderstudyError(error, what: what) }
        others.append(owned.closed)
        // By their texts they were compared before; a symbolic link may still lead from one into another.
        if let real = realPath(path),
            let other = ([real] + Self.parents(of: real)).lazy.compactMap({ self.realPaths[$0] }).first
                ?? realParents[real]
        {
            throw UnderstudyError(
                .target, "\(what) \"\(path)\" leads into \"\(other)\" by a symbolic link",
                hint: "Choose a directory of its own.")
        }
        try remember(owned)
        let tree = DurableTree(root: owned.directory, syncsEachFile: syncMethod.syncsEachFile)
        return (owned, tree.syncsEachFile)
    }

    /// A directory that is there is given to nobody on the server's word alone, and what belongs to somebody else is of no
    /// use to the owner.
    private func checkOwner(of path: String, _ what: String) throws(UnderstudyError) {
        guard let owner, let directory = try? ConfinedDirectory(path: path),
            let found = try? directory.modeAndOwner().owner, found.user != owner.user
        else { return }
        func name(_ user: UInt32) -> String { "\"\(userName(user) ?? "\(user)")\"" }
        throw UnderstudyError(
            .target, "\(what) \"\(path)\" belongs to user \(name(found.user)), and not to \(name(owner.user))",
            hint: TablespaceLayout.remedy(path))
    }

    func root(_ owned: OwnedDirectory, prefix: MemberPath?) -> MemberRoot {
        let tree = DurableTree(root: owned.directory, syncsEachFile: syncMethod.syncsEachFile)
        return MemberRoot(
            place: .open(owned.directory), manifestPrefix: prefix, syncsEachFile: syncs && tree.syncsEachFile)
    }

    /// Puts the directories themselves on stable storage.
    func syncNames() throws(UnderstudyError) {
        for closed in [data.closed] + others {
            try checkInterrupt()
            do throws(FileIOError) {
                try closed.open().sync()
                try closed.syncParents()
            } catch { throw UnderstudyError(error) }
        }
    }

    /// Puts everything on stable storage, the directories' own entries included.
    func sync() throws(UnderstudyError) {
        do throws(FileIOError) {
            // One syncfs covers all that is on a file system.
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

    /// Says that everything is complete, and takes away the marks, that of the data directory last.
    ///
    /// From the first step on the backup is complete, whatever happens to this process: what marks are left then are
    /// known as the rest of a complete one.
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

    /// Whether a mark in the data directory says that it is unfinished.
    var hasMark: Bool { directory.exists(UnfinishedMark.name) }

    /// Leaves everything as it was. What cannot be removed is returned.
    ///
    /// - Parameter keepingMark: Only the data directory stays, with its mark; a second call takes them away.
    func restore(keepingMark: Bool = false) -> [FileIOError] {
        let mark = isComplete ? markAgain() : nil
        var failures: [FileIOError] = []
        // The other way round than they were made, so that parents are empty when their turn comes.
        for closed in others.reversed() {
            do throws(FileIOError) { try OwnedDirectory(reopening: closed).restore() } catch {
                if error.number != ENOENT || realPath(closed.path) != nil { failures.append(error) }
            }
        }
        // Its mark names the others: it stays as long as one of them could not be restored.
        let keepsMark = !failures.isEmpty || (keepingMark && hasMark)
        do throws(FileIOError) { if keepsMark { try data.clear() } else { try data.restore() } } catch {
            failures.append(error)
        }
        return withExtendedLifetime(mark) { failures }
    }

    /// Before something that was complete is removed, it is marked as unfinished again. Until all marks are there, that of
    /// the data directory says that all is complete.
    private func markAgain() -> UnfinishedMark? {
        // Of a standby that was started and stopped again. What has them is not removed by the next run.
        for name: RelativePath in ["postmaster.opts", "postmaster.pid"] { try? directory.remove(name) }
        // Where there is no room for a mark, things are removed all the same.
        let mark = try? data.markAgain { record in
            record.others = others.map(\.noted.path)
            record.stage = .complete
        }
        for closed in others { _ = try? OwnedDirectory(reopening: closed).markAgain { $0.stage = .filling } }
        try? mark?.set(.filling)
        return mark
    }
}
