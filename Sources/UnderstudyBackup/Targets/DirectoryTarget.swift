import Glibc
package import Logging
package import UnderstudyConfiguration
package import UnderstudyCore
package import UnderstudyPlatform
import UnderstudyProtocol
package import UnderstudyStreaming
package import UnderstudyWAL

/// A base backup as a data directory: the plain format, with the tablespaces and perhaps the WAL directory apart.
package final class DirectoryTarget: BackupTarget, @unchecked Sendable {
    // Sendable: one thread at a time, as the run that owns it: the run ends before another thread starts or undoes.
    /// The data directory, as an absolute path.
    package let path: String
    /// With the places of what is there, once that is known.
    var options: BaseBackup.Options
    /// How many mappings of tablespaces the user gave, before those to places that were found.
    let givenMappings: Int
    let interrupt: Interrupt
    let logger: Logger
    private(set) var made: Made?
    private var sink: DirectorySink?
    /// What is there, if that is made equal to the source.
    var existing: ExistingDirectory?

    /// What ``prepare(_:)`` makes.
    struct Made {
        var directories: TargetDirectories
        var server: ServerFacts
        var tablespaces: TablespaceLayout
        var connections: BaseBackup.Connections
        var archives: [PlacedArchive] = []
        var wal: ConfinedDirectory?
    }

    package init(path: String, options: BaseBackup.Options, interrupt: Interrupt, logger: Logger) {
        self.path = absolutePath(path)
        self.options = options
        givenMappings = options.tablespaceMappings.count
        self.interrupt = interrupt
        self.logger = logger
    }

    package var name: String { "directory \"\(path)\"" }
    package var isMade: Bool { made != nil }
    package var takesEditsFirst: Bool { false }
    package var keepsSyncedWAL: Bool { true }
    package var placeOnServer: BackupPlace? { nil }
    package var wantsTablespaceMap: Bool { false }
    package var directory: ConfinedDirectory? { made?.directories.directory }
    package var failure: UnderstudyError? { sink?.failure }
    package var recordPlace: String? { made?.directories.hasMark == true ? path : nil }

    var leftovers: LeftoverPolicy {
        LeftoverPolicy(
            removes: options.forceClean, trust: TrustedUsers(owner: options.owner?.fileOwner),
            mounts: options.walDirectory == nil ? UnfinishedDirectory.namesOfWAL : [], interrupt: interrupt,
            logger: logger)
    }

    package func check() throws(UnderstudyError) -> LeftoverBackup? {
        try lookAtExisting()
        try BackupOptionRules.checkPlaces(options, dataDirectory: path)
        let left = existing == nil ? try leftovers.check(path, .target) : existing?.left
        if let wal = options.walDirectory, existing?.holds(wal) != true { try leftovers.check(wal, .wal) }
        for mapping in options.tablespaceMappings where existing?.holds(mapping.new) != true {
            do throws(UnderstudyError) { try leftovers.check(mapping.new, .tablespace) } catch {
                // A mapping that no tablespace needs is accepted then; if one does, the place is looked at again.
                guard options.unmappedTablespaces == .anywhere, error.errorNumber == EACCES else { throw error }
            }
        }
        return left.map { LeftoverBackup(directory: $0, trust: leftovers.trust) }
    }

    package func prepare(_ plan: BackupPlan) throws(UnderstudyError) {
        let server = plan.server
        let tablespaces = try layOut(plan.archives)
        try tablespaces.checkUnmapped(options, logger)
        try refuseServers()
        if existing != nil, let listing = plan.listing {
            _ = try compare(listing, plan.archives, tablespaces, server)
        }
        let directories = try TargetDirectories(
            path: path, mode: server.directoryMode, owner: options.owner?.fileOwner, syncs: options.sync,
            syncMethod: options.syncMethod, leftovers: leftovers, slot: plan.slot, takesMode: options.takesTargetMode,
            existing: existing, cluster: UnfinishedRecord.Cluster(of: server), interrupt: interrupt)
        made = Made(
            directories: directories, server: server, tablespaces: tablespaces, connections: plan.connections)
        try directories.hideControlFile()
        // None can start from here on.
        try refuseServers()
        warnOfMode(directories, server)
        let archives = try tablespaces.makeRoots(directories, plan.archives)
        made!.archives = archives
        let walName = server.version.walDirectoryName
        guard existing == nil else {
            made!.wal = try directories.empty(walNamed: walName, at: options.walDirectory)
            nameUnused(directories)
            return
        }
        try allowingHoles { () throws(UnderstudyError) in try SpaceCheck.check(archives) }
        guard options.wal == .stream || options.walDirectory != nil || directories.hasMountedWAL(walName) else {
            return
        }
        made!.wal = try directories.makeWALDirectory(named: walName, at: options.walDirectory)
        // WAL is acknowledged from here on, so a crash must not lose the names that lead to it.
        if options.sync { try directories.syncNames() }
    }

    /// With holes, too little room for the estimate is only warned of: nobody knows how much of it they are.
    func allowingHoles(_ check: () throws(UnderstudyError) -> Void) throws(UnderstudyError) {
        do throws(UnderstudyError) { try check() } catch {
            guard options.leavesHoles, error.code == .noSpace else { throw error }
            logger.warning(
                "\(error.message), unless holes make it smaller",
                metadata: error.detail.map { ["detail": "\($0) It counts holes at their full length."] })
        }
    }

    /// Warns if an existing target keeps a mode with which no server starts in it.
    private func warnOfMode(_ directories: TargetDirectories, _ server: ServerFacts) {
        let refused: UInt16 = server.version.showsDirectoryMode ? 0o027 : 0o077
        guard !options.takesTargetMode, let mode = try? directories.directory.modeAndOwner().mode, mode & refused != 0
        else { return }
        let wanted = String(server.directoryMode, radix: 8)
        logger.warning(
            "\(name) keeps its mode 0\(String(mode & 0o777, radix: 8)), with which no server starts in it",
            metadata: ["hint": "Before a start: chmod 0\(wanted) \(ShellText.pasted(path))."])
    }

    // MARK: - Members and WAL

    /// After ``prepare(_:)``.
    private var prepared: Made { made! }

    package func makeSink(_ observer: MemberObserver) throws(UnderstudyError) -> DirectorySink {
        let directories = prepared.directories, server = prepared.server, interrupt = interrupt
        let pool = WritePool(
            observer: observer, feeders: prepared.connections.count, makeOutput: { DirectoryOutput() },
            interrupt: interrupt
        ) { interrupt.raise() }
        let archives = prepared.archives.compactMap { placed in placed.announced.oid.map { ($0, placed.root) } }
        let sink = try DirectorySink(
            DirectoryLayout(
                data: directories.root(directories.data, prefix: nil),
                wal: directories.wal.map { directories.root($0, prefix: nil) },
                tablespaces: Dictionary(uniqueKeysWithValues: archives), links: prepared.tablespaces.links,
                premade: directories.premade, version: server.version,
                rules: MemberRules(version: server.version, includesWAL: options.wal == .fetch),
                directoryMode: server.directoryMode, leavesHoles: options.leavesHoles,
                updates: options.existing != .refused),
            pool: pool, interrupt: interrupt)
        self.sink = sink
        return sink
    }

    package func makeWALDestination() throws(UnderstudyError) -> any WALDestination {
        BackupWALDirectory(directory: prepared.wal!, fileMode: prepared.server.fileMode, syncs: options.sync)
    }

    package func makeManifestOutput() throws(UnderstudyError) -> any ManifestOutput {
        try ManifestFileOutput(
            in: prepared.directories.directory, mode: prepared.server.fileMode, syncs: options.sync)
    }

    package func finishMembers() throws(UnderstudyError) {
        guard let notes = sink?.notes else { return }
        try tellOfSurplus(notes)
        if notes.executables.count > 0 {
            logger.notice("files that are executable on the primary are not so here: \(notes.executables.list)")
        }
        try prepared.tablespaces.makeMissingLinks(notes.linked, prepared.directories, logger)
    }

    package func history(of timeline: TimelineID) throws(UnderstudyError) -> [UInt8]? {
        let name = RelativePath(timeline.historyFileName)
        do throws(FileIOError) {
            let wal =
                if let wal = prepared.directories.wal {
                    wal.directory
                } else {
                    try prepared.directories.directory.openDirectory(
                        RelativePath(prepared.server.version.walDirectoryName))
                }
            return wal.exists(name) ? try wal.read(name, atMost: TimelineHistory.longestFile) : nil
        } catch { throw UnderstudyError(error) }
    }

    // MARK: - The end

    package func add(_ edit: StandbyConfiguration.FileEdit) throws(UnderstudyError) -> Bool {
        do throws(FileIOError) {
            return try edit.apply(in: prepared.directories.directory, mode: prepared.server.fileMode)
        } catch { throw UnderstudyError(error) }
    }

    package func makeDurable(hasManifest: Bool) throws(UnderstudyError) {
        let directories = prepared.directories
        try directories.dropHiddenControlFile()
        if options.sync {
            logger.info("syncing data to disk ...")
            try directories.sync()
        }
        do throws(FileIOError) {
            try ControlFilePlace.complete(directories.directory, syncs: options.sync)
        } catch { throw UnderstudyError(error) }
        if hasManifest {
            // The stock tool's wording for this step, which callers may look for.
            logger.info("renaming backup_manifest.tmp to backup_manifest")
            do throws(FileIOError) {
                try directories.directory.rename(ManifestFileOutput.temporaryName, to: ManifestFileOutput.name)
                if options.sync { try directories.directory.sync() }
            } catch { throw UnderstudyError(error) }
        }
        try directories.removeMarks()
    }

    package var keepsPartial: Bool { options.keepPartial || existing != nil }

    package func undo(keepingRecord: Bool) -> [FileIOError] {
        made?.directories.restore(keepingMark: keepingRecord) ?? []
    }
}

extension StandbyConfiguration.FileEdit {
    /// Makes the change; false if it is for an existing file, and there is none.
    func apply(in directory: ConfinedDirectory, mode: UInt16) throws(FileIOError) -> Bool {
        let name = RelativePath(name), bytes = Array(content.utf8)
        let isThere = directory.exists(name)
        if isThere && kind != .create {
            try directory.append(bytes, to: name)
            return true
        }
        guard kind != .appendIfPresent else { return false }
        if isThere { try directory.remove(name) }
        let file = try directory.createFile(name, mode: mode)
        try unsafe file.write(bytes.span.bytes, at: 0, path: directory.fullPath(name))
        try file.sync(path: directory.fullPath(name))
        return true
    }
}
