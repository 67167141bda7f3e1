import Glibc
package import Logging
import UnderstudyBackupFormat
package import UnderstudyConfiguration
package import UnderstudyCore
package import UnderstudyPlatform
import UnderstudyProtocol
package import UnderstudyStreaming
package import UnderstudyWAL

/// A base backup as one archive in a stream, such as standard output.
///
/// Nothing that was sent can be taken back. So what makes the archive complete goes out last, after all was verified:
/// global/pg_control, the manifest, and the end of the archive. WAL that is streamed meanwhile waits in a file.
package final class TarStreamTarget: BackupTarget, @unchecked Sendable {
    // Sendable: one thread at a time, as the run that owns it.
    private let descriptor: Int32
    private let options: BaseBackup.Options
    private let interrupt: Interrupt
    private let logger: Logger
    private var made: Made?
    private var sink: TarArchiveSink?
    private var wal: TarWALDestination?
    private var walFile: GrowingFile?
    private var manifest: GrowingFile?
    private var edits = TarEdits()

    /// What ``prepare(_:)`` makes.
    private struct Made {
        var stream: StreamOutput
        /// Takes the members, and then what follows them.
        var archive: ArchiveWriter
        var server: ServerFacts
        var connections: BaseBackup.Connections
        /// Seconds since 1970-01-01 00:00:00 UTC.
        var now: Int64
        let held = HeldMember()
    }

    package init(descriptor: Int32, options: BaseBackup.Options, interrupt: Interrupt, logger: Logger) {
        self.logger = logger
        self.descriptor = descriptor
        self.options = options
        self.interrupt = interrupt
    }

    package var name: String { descriptor == STDOUT_FILENO ? "standard output" : "descriptor \(descriptor)" }
    package var isMade: Bool { false }
    package var takesEditsFirst: Bool { true }
    /// It waits in a file without a name.
    package var keepsSyncedWAL: Bool { false }
    package var placeOnServer: BackupPlace? { nil }
    package var wantsTablespaceMap: Bool { true }
    package var directory: ConfinedDirectory? { nil }
    package var failure: UnderstudyError? { sink?.failure }
    package var recordPlace: String? { nil }

    private var spoolDirectory: String {
        options.spoolDirectory ?? environmentVariable("TMPDIR").flatMap { $0.isEmpty ? nil : $0 } ?? "/var/tmp"
    }

    package func check() throws(UnderstudyError) -> LeftoverBackup? {
        try BackupOptionRules.checkArchives(options)
        if StreamOutput.isTerminal(descriptor) {
            throw UnderstudyError(
                .target, "\(name) is a terminal, where an archive is of no use",
                hint: "Direct it into a file or another program, or name a directory.")
        }
        return nil
    }

    package func prepare(_ plan: BackupPlan) throws(UnderstudyError) {
        guard plan.archives.count == 1 else {
            // The stock tool's words.
            throw UnderstudyError(
                .options, "can only write single tablespace to stdout, database has \(plan.archives.count)",
                hint: "Name a directory: each tablespace is an archive of its own.")
        }
        do throws(FileIOError) {
            let hasManifest = options.manifest && plan.server.version.hasManifest
            let stream = try StreamOutput(descriptor, name: name, interrupt: interrupt)
            made = Made(
                stream: stream, archive: try ArchiveWriter(into: stream, coding: options.compression.here),
                server: plan.server, connections: plan.connections, now: Int64(time(nil)))
            if hasManifest { manifest = try GrowingFile(namelessIn: spoolDirectory, holding: "the spooled manifest") }
        } catch { throw UnderstudyError(error) }
    }

    // MARK: - Members and WAL

    /// After ``prepare(_:)``.
    private var prepared: Made { made! }

    package func makeSink(_ observer: MemberObserver) throws(UnderstudyError) -> TarArchiveSink {
        let made = prepared, interrupt = interrupt, archive = prepared.archive
        let pool = WritePool(
            observer: observer, writers: 1, feeders: made.connections.count,
            makeOutput: { TarOutput(endsArchives: false) { _ in archive } },
            interrupt: interrupt
        ) { interrupt.raise() }
        let sink = try TarArchiveSink(
            TarLayout(made.server, options, now: made.now, tablespaces: [], held: made.held, edits: edits), pool: pool,
            turns: try WriteTurns(pool, for: made.connections, interrupt))
        self.sink = sink
        return sink
    }

    package func makeWALDestination() throws(UnderstudyError) -> any WALDestination {
        do throws(FileIOError) {
            let file = try GrowingFile(namelessIn: spoolDirectory, holding: "the spooled WAL")
            let wal = TarWALDestination(
                PlainTarWAL(file, syncs: false), prefix: "\(prepared.server.version.walDirectoryName)/",
                fileMode: prepared.server.fileMode, now: prepared.now)
            walFile = file
            self.wal = wal
            return wal
        } catch { throw UnderstudyError(error) }
    }

    package func makeManifestOutput() -> any ManifestOutput {
        SpooledManifest(manifest!)
    }

    package func finishMembers() throws(UnderstudyError) {
        // The writer has written its last block when the sink was closed.
        if let failure = sink?.failure { throw failure }
    }

    package func history(of timeline: TimelineID) -> [UInt8]? {
        wal?.histories[timeline]
    }

    // MARK: - The end

    package func add(_ edit: StandbyConfiguration.FileEdit) throws(UnderstudyError) -> Bool {
        try edits.add(edit, before: sink, of: name)
        return true
    }

    package func makeDurable(hasManifest: Bool) throws(UnderstudyError) {
        let made = prepared, archive = prepared.archive
        if options.sync { logger.info("syncing data to disk ...") }
        do throws(FileIOError) {
            try walFile?.read(archive.append)
            try archive.append(made.held.whole)
            if hasManifest, let manifest {
                try archive.append(manifestHeader(UInt64(manifest.count), made))
                try manifest.read(archive.append)
                try archive.appendZeros(TarWriter.padding(after: UInt64(manifest.count)))
            }
            try archive.finish()
            if options.sync { try made.stream.sync() }
        } catch { throw UnderstudyError(error) }
    }

    private func manifestHeader(_ size: UInt64, _ made: Made) -> [UInt8] {
        // The name is a constant, and short.
        guard let path = try? MemberPath("backup_manifest"),
            let header = try? TarWriter.header(
                of: TarEntry(
                    path: path, kind: .file, mode: made.server.fileMode, size: size, modificationTime: made.now))
        else { return [] }
        return header
    }

    package func undo(keepingRecord: Bool) -> [FileIOError] { [] }
}

/// The manifest until it is its turn.
private final class SpooledManifest: ManifestOutput {
    private let file: GrowingFile

    init(_ file: GrowingFile) {
        self.file = file
    }

    func write(_ bytes: RawSpan) throws(UnderstudyError) {
        do throws(FileIOError) { try file.append(bytes) } catch { throw UnderstudyError(error) }
    }

    func close() {}
}
