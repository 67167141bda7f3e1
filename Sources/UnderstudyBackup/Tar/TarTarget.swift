import Glibc
package import Logging
import UnderstudyCompression
package import UnderstudyConfiguration
package import UnderstudyCore
package import UnderstudyPlatform
import UnderstudyProtocol
package import UnderstudyStreaming
package import UnderstudyWAL

/// A base backup as archives in a directory: base.tar, one for each tablespace, pg_wal.tar, and the manifest beside.
///
/// Each file has a temporary name until everything is verified and on stable storage.
package final class TarTarget: BackupTarget, @unchecked Sendable {
    // Sendable: one thread at a time, as the run that owns it.
    /// The directory, as an absolute path.
    package let path: String
    private let options: BaseBackup.Options
    private let interrupt: Interrupt
    private let logger: Logger
    private var made: Made?
    private var sink: TarArchiveSink?
    private var wal: TarWALDestination?
    private var edits = TarEdits()

    /// What ``prepare(_:)`` makes.
    private struct Made {
        var directories: TargetDirectories
        var server: ServerFacts
        var connections: BaseBackup.Connections
        var archives: [AnnouncedArchive]
        /// Seconds since 1970-01-01 00:00:00 UTC.
        var now: Int64
    }

    package init(path: String, options: BaseBackup.Options, interrupt: Interrupt, logger: Logger) {
        self.path = absolutePath(path)
        self.options = options
        self.interrupt = interrupt
        self.logger = logger
    }

    package var name: String { "directory \"\(path)\"" }
    package var isMade: Bool { made != nil }
    package var takesEditsFirst: Bool { true }
    /// Not where the end of it is still in a compressor.
    package var keepsSyncedWAL: Bool { walCoding == nil }
    package var placeOnServer: BackupPlace? { nil }
    package var wantsTablespaceMap: Bool { true }
    package var directory: ConfinedDirectory? { nil }
    package var failure: UnderstudyError? { sink?.failure }
    package var recordPlace: String? { made?.directories.hasMark == true ? path : nil }

    private var leftovers: LeftoverPolicy {
        LeftoverPolicy(
            removes: options.forceClean, trust: TrustedUsers(owner: options.owner?.fileOwner), interrupt: interrupt,
            logger: logger)
    }

    package func check() throws(UnderstudyError) -> LeftoverBackup? {
        try BackupOptionRules.checkArchives(options)
        let left = try leftovers.check(path, .target)
        return left.map { LeftoverBackup(directory: $0, trust: leftovers.trust) }
    }

    package func prepare(_ plan: BackupPlan) throws(UnderstudyError) {
        let server = plan.server
        let directories = try TargetDirectories(
            path: path, mode: server.directoryMode, owner: options.owner?.fileOwner, syncs: options.sync,
            syncMethod: options.syncMethod, leftovers: leftovers, slot: plan.slot, takesMode: options.takesTargetMode,
            interrupt: interrupt)
        made = Made(
            directories: directories, server: server, connections: plan.connections, archives: plan.archives,
            now: Int64(time(nil)))
        let root = directories.root(directories.data, prefix: nil)
        // How small they become compressed shows only at the end.
        if options.compression == .none {
            try SpaceCheck.check(plan.archives.map { PlacedArchive(announced: $0, root: root) })
        }
        // WAL is acknowledged from here on, so a crash must not lose the names that lead to it.
        if options.sync, options.wal == .stream { try directories.syncNames() }
    }

    // MARK: - Names

    private var names: [String] {
        let archives = prepared.archives.map { TarNames.archive($0, options.compression.method) }
        return archives + (wal == nil ? [] : [walName])
    }

    private var walName: String {
        "\(prepared.server.version.walDirectoryName).tar\((walCoding?.method).fileSuffix)"
    }

    /// How the archive of WAL is compressed.
    private var walCoding: ArchiveCoding? {
        options.compressesWAL ? options.compression.here?.withoutTuning : nil
    }

    // MARK: - Members and WAL

    /// After ``prepare(_:)``.
    private var prepared: Made { made! }

    package func makeSink(_ observer: MemberObserver) throws(UnderstudyError) -> TarArchiveSink {
        let made = prepared, interrupt = interrupt, syncs = options.sync, mode = prepared.server.fileMode
        let coding = options.compression.here
        let directory = made.directories.directory
        let pool = WritePool(
            observer: observer, writers: 1, feeders: made.connections.count,
            makeOutput: {
                TarOutput(endsArchives: true) { archive throws(FileIOError) in
                    try ArchiveWriter(
                        in: directory, archive.name, mode: mode, expecting: archive.size, sync: syncs,
                        coding: archive.isKept ? nil : coding)
                }
            },
            interrupt: interrupt
        ) { interrupt.raise() }
        let sink = try TarArchiveSink(
            TarLayout(
                made.server, options, now: made.now, tablespaces: Set(made.archives.compactMap(\.oid)), edits: edits),
            pool: pool, turns: try WriteTurns(pool, for: made.connections, interrupt))
        self.sink = sink
        return sink
    }

    package func makeWALDestination() throws(UnderstudyError) -> any WALDestination {
        let directory = prepared.directories.directory
        do throws(FileIOError) {
            let name = TarNames.temporary(walName), mode = prepared.server.fileMode
            let output: any TarWALOutput
            if let coding = walCoding {
                output = CompressedTarWAL(
                    try ArchiveWriter(
                        in: directory, name, mode: mode, expecting: UInt64(prepared.server.segmentSize.bytes),
                        sync: options.sync, coding: coding))
            } else {
                output = PlainTarWAL(try GrowingFile(in: directory, name, mode: mode), syncs: options.sync)
            }
            if options.sync { try directory.sync() }
            let wal = TarWALDestination(output, prefix: "", fileMode: mode, now: prepared.now)
            self.wal = wal
            return wal
        } catch { throw UnderstudyError(error) }
    }

    package func makeManifestOutput() throws(UnderstudyError) -> any ManifestOutput {
        try ManifestFileOutput(
            in: prepared.directories.directory, mode: prepared.server.fileMode, syncs: options.sync)
    }

    package func finishMembers() throws(UnderstudyError) {
        // The last archive was ended when the sink was closed.
        if let failure = sink?.failure { throw failure }
    }

    package func history(of timeline: TimelineID) throws(UnderstudyError) -> [UInt8]? {
        wal?.histories[timeline]
    }

    // MARK: - The end

    package func add(_ edit: StandbyConfiguration.FileEdit) throws(UnderstudyError) -> Bool {
        try edits.add(edit, before: sink, of: name)
        return true
    }

    package func makeDurable(hasManifest: Bool) throws(UnderstudyError) {
        let directories = prepared.directories, directory = directories.directory
        do throws(FileIOError) { try wal?.endArchive() } catch { throw UnderstudyError(error) }
        if options.sync {
            logger.info("syncing data to disk ...")
            try directories.sync()
        }
        do throws(FileIOError) {
            for name in names { try directory.rename(TarNames.temporary(name), to: RelativePath(name)) }
            if hasManifest {
                // The stock tool's wording for this step, which callers may look for.
                logger.info("renaming backup_manifest.tmp to backup_manifest")
                // Whoever finds it finds the archives, too.
                if options.sync { try directory.sync() }
                try directory.rename(ManifestFileOutput.temporaryName, to: ManifestFileOutput.name)
            }
            if options.sync { try directory.sync() }
        } catch { throw UnderstudyError(error) }
        try directories.removeMarks()
    }

    package func undo(keepingRecord: Bool) -> [FileIOError] {
        made?.directories.restore(keepingMark: keepingRecord) ?? []
    }
}
