public import Logging
public import UnderstudyCore
public import UnderstudyWAL

/// A base backup of a running server, taken over the streaming replication protocol.
///
/// ```swift
/// let backup = BaseBackup(source: "host=10.0.0.1 user=r", options: .init(label: "nightly", checkpoint: .fast))
/// let result = try await backup.run(into: .directory("/srv/standby")) { progress in
///     print(progress.fraction ?? 0, progress.phase)
/// }
/// print(result.startLSN, result.endLSN)
/// ```
///
/// Source: PostgreSQL manual, "Streaming Replication Protocol", BASE_BACKUP.
public struct BaseBackup: Sendable {
    public var source: ConnectionString
    public var options: Options
    public var logger: Logger

    /// - Parameter logger: Receives events at level `info`; warnings, including the server's, at level `warning`.
    public init(source: ConnectionString, options: Options = .init(), logger: Logger = .silent) {
        self.source = source
        self.options = options
        self.logger = logger
    }
}

extension BaseBackup {
    /// How the backup gets the WAL that it needs.
    @nonexhaustive
    public enum WALMethod: String, Sendable, CaseIterable, Codable {
        /// Not at all: the server's archive must provide it.
        case none
        /// At the end of the backup, over the backup connection.
        case fetch
        /// While the backup runs, over a second connection.
        case stream
    }

    /// How the server makes the checkpoint with which a backup begins.
    @nonexhaustive
    public enum Checkpoint: String, Sendable, CaseIterable, Codable {
        /// At once, with much input and output on the server.
        case fast
        /// Over checkpoint_completion_target of its checkpoint_timeout: minutes.
        case spread
    }

    /// The checksum algorithm of the manifest, named as in the server's option MANIFEST_CHECKSUMS.
    @nonexhaustive
    public enum ManifestChecksum: String, Sendable, CaseIterable, Codable {
        case none = "NONE"
        case crc32c = "CRC32C"
        case sha224 = "SHA224"
        case sha256 = "SHA256"
        case sha384 = "SHA384"
        case sha512 = "SHA512"
    }

    /// Where a tablespace goes.
    public struct TablespaceMapping: Sendable, Equatable, Codable {
        /// The tablespace's directory on the primary.
        public var old: String
        /// Its directory on this machine.
        public var new: String

        public init(from old: String, to new: String) {
            self.old = old
            self.new = new
        }
    }

    /// Which paths are accepted for tablespaces without a mapping: they go to the path that the server reports.
    @nonexhaustive
    public enum UnmappedTablespaces: String, Sendable, CaseIterable, Codable {
        /// The paths are logged before the copy. One in `/etc`, `/usr` and the like, `/home`, `/root`, `/var/spool` or
        /// a user's home directory is refused unless it is mapped to itself.
        case guarded
        /// Any path, as with the stock tool; mappings that no tablespace needs are accepted, too.
        case anywhere
    }

    /// How files are put on stable storage.
    @nonexhaustive
    public enum SyncMethod: String, Sendable, CaseIterable, Codable {
        /// syncfs(2) where the file system is known to report every failure, else fsync(2) of each file.
        case automatic
        /// fsync(2) of each file and directory.
        case fsync
        /// syncfs(2) of each file system, whatever its type.
        case syncfs
    }

    /// The owner of the files; needs root.
    public struct Owner: Sendable, Equatable, Codable {
        public var user: UInt32
        public var group: UInt32

        public init(user: UInt32, group: UInt32) {
            self.user = user
            self.group = group
        }
    }

    /// What may be set; each has a default that suits most servers.
    public struct Options: Sendable, Equatable, Codable {
        /// The label that the server writes into backup_label.
        public var label: String
        public var wal: WALMethod
        public var checkpoint: Checkpoint
        public var slot: ReplicationSlot
        /// What the name of a temporary slot begins with; the connection's number on the server follows: `understudy_1234`.
        public var temporarySlotPrefix: String
        /// How many connections the base data comes over.
        public var connections: Connections
        /// The most that the server sends: 32 kB/s to 1 GB/s, and nil for no limit.
        public var maxRate: TransferRate?
        public var tablespaceMappings: [TablespaceMapping]
        /// Which paths are accepted for tablespaces without a mapping.
        public var unmappedTablespaces: UnmappedTablespaces
        /// Whether an existing target gets the mode of the server's data directory, without which no server starts in
        /// it. If not, it keeps its mode, as with the stock tool.
        public var takesTargetMode: Bool
        /// An absolute path outside of the target for the WAL directory, or nil.
        public var walDirectory: String?
        /// Whether the server verifies page checksums as it sends (servers from 11).
        public var verifyServerChecksums: Bool
        /// Whether the server makes a backup manifest (servers from 13). Without one, nothing is verified on arrival.
        public var manifest: Bool
        public var manifestChecksum: ManifestChecksum
        /// Whether all file names in the manifest are hex-encoded.
        public var manifestForceEncode: Bool
        /// Whether the server estimates the size first; without it, progress has no fraction and no remaining time.
        public var estimateSize: Bool
        /// Whether progress names the file that is being received.
        public var namesFiles: Bool
        /// Whether the backup is on stable storage when `run` returns. If not, a slot advances as WAL is written.
        public var sync: Bool
        public var syncMethod: SyncMethod
        /// Whether runs of zeros become holes, which take no room, if they have at least 16 MiB (plain format; never in
        /// WAL). Size and content of a file are the same. Too little room for the server's estimate is then no error, but
        /// a warning: it counts holes at their full length.
        ///
        /// Off by default, since a server also writes zeros to reserve room.
        public var leavesHoles: Bool
        /// What the target may hold already. All but ``ExistingContents/refused`` need the plain format, and several
        /// connections.
        public var existing: ExistingContents
        /// Whether a data directory of another database cluster is overwritten; it is refused otherwise. Only for
        /// ``existing``.
        public var overwritesOtherCluster: Bool
        /// Whether a failed run keeps what has come, with its mark, so that the next one goes on from there
        /// (``ExistingContents/resumed``). A directory that was not empty is kept in any case. Plain format.
        public var keepPartial: Bool
        /// Whether a failed run removes what it made.
        public var cleanUp: Bool
        /// Whether to first remove what a killed run left in the target: its files, identified by its mark, in all
        /// directories that it filled, and the slot that it created. Nothing else is removed.
        public var forceClean: Bool
        /// How often the WAL stream reports its position to the server; zero to report only when asked.
        public var statusInterval: Duration
        /// How long the server may be silent before the run gives up; nil for no limit. If it may have a reason (a
        /// checkpoint, WAL to be archived), it is first asked over another connection whether it is alive.
        public var stallTimeout: Duration?
        public var owner: Owner?
        /// The backup_manifest of an earlier backup, to get only what has changed since (servers from 17 with
        /// summarize_wal); nil for all. pg_combinebackup puts the two together.
        public var incrementalManifest: String?
        public var compression: ArchiveCompression
        /// Whether an archive of streamed WAL is compressed as the others are; the stock tool does that with gzip alone.
        public var compressesWAL: Bool
        /// The directory in which WAL and the manifest wait until their turn comes in a stream, without a name: as much as
        /// is written meanwhile. nil for the environment's TMPDIR, or else /var/tmp.
        public var spoolDirectory: String?
        /// Whether to write the settings that make the copy a standby of its source (`-R`).
        public var writeRecoverySettings: Bool

        /// Each parameter is the property of its name.
        public init(
            label: String = "understudy base backup", wal: WALMethod = .stream, checkpoint: Checkpoint = .spread,
            slot: ReplicationSlot = .temporary, temporarySlotPrefix: String = "understudy",
            connections: Connections = .one, maxRate: TransferRate? = nil,
            tablespaceMappings: [TablespaceMapping] = [], unmappedTablespaces: UnmappedTablespaces = .guarded,
            takesTargetMode: Bool = true, walDirectory: String? = nil, verifyServerChecksums: Bool = true,
            manifest: Bool = true, manifestChecksum: ManifestChecksum = .crc32c, manifestForceEncode: Bool = false,
            estimateSize: Bool = true, namesFiles: Bool = false, sync: Bool = true, syncMethod: SyncMethod = .automatic,
            leavesHoles: Bool = false, existing: ExistingContents = .refused, overwritesOtherCluster: Bool = false,
            keepPartial: Bool = false, cleanUp: Bool = true, forceClean: Bool = false,
            statusInterval: Duration = .seconds(10), stallTimeout: Duration? = .seconds(300),
            owner: Owner? = nil, incrementalManifest: String? = nil, compression: ArchiveCompression = .none,
            compressesWAL: Bool = true,
            spoolDirectory: String? = nil, writeRecoverySettings: Bool = false
        ) {
            self.label = label
            self.wal = wal
            self.checkpoint = checkpoint
            self.slot = slot
            self.temporarySlotPrefix = temporarySlotPrefix
            self.connections = connections
            self.maxRate = maxRate
            self.tablespaceMappings = tablespaceMappings
            self.unmappedTablespaces = unmappedTablespaces
            self.takesTargetMode = takesTargetMode
            self.walDirectory = walDirectory
            self.verifyServerChecksums = verifyServerChecksums
            self.manifest = manifest
            self.manifestChecksum = manifestChecksum
            self.manifestForceEncode = manifestForceEncode
            self.estimateSize = estimateSize
            self.namesFiles = namesFiles
            self.sync = sync
            self.syncMethod = syncMethod
            self.leavesHoles = leavesHoles
            self.existing = existing
            self.overwritesOtherCluster = overwritesOtherCluster
            self.keepPartial = keepPartial
            self.cleanUp = cleanUp
            self.forceClean = forceClean
            self.statusInterval = statusInterval
            self.stallTimeout = stallTimeout
            self.owner = owner
            self.incrementalManifest = incrementalManifest
            self.compression = compression
            self.compressesWAL = compressesWAL
            self.spoolDirectory = spoolDirectory
            self.writeRecoverySettings = writeRecoverySettings
        }
    }

    /// The destination of a backup.
    @nonexhaustive
    public enum Target: Sendable, Equatable {
        /// A directory in plain format: absent, or empty. Missing parents are created.
        case directory(String)
        /// A directory, absent or empty, for archives in tar format: base.tar, OID.tar for each tablespace, pg_wal.tar
        /// (before 10: pg_xlog.tar) if WAL is streamed, and backup_manifest beside them.
        case tarFiles(String)
        /// An open descriptor, such as 1 for standard output, for one archive in tar format. It is not closed. WAL that is
        /// streamed waits in a file (`Options.spoolDirectory`), and follows below pg_wal; then comes backup_manifest.
        ///
        /// A run that throws has written neither global/pg_control, without which no server starts, nor the manifest, nor
        /// the end of the archive. Only a database without further tablespaces can be written so.
        case tarStream(Int32)
        /// The server itself puts archives in tar format somewhere (from 15): TARGET and TARGET_DETAIL of BASE_BACKUP, which
        /// it judges. `server` with an absolute directory on that machine, `blackhole`, or what its extensions know.
        ///
        /// Nothing comes here, so nothing is verified; WAL can be fetched, not streamed.
        case server(String, detail: String? = nil)
    }
}

/// The progress of a backup.
public struct BackupProgress: Sendable, Equatable, Codable {
    /// What the run is doing. `starting` is a clone's alone.
    @nonexhaustive
    public enum Phase: String, Sendable, CaseIterable, Codable {
        case connecting
        /// Sending the manifest on which an incremental backup builds.
        case uploadingManifest
        case checkpoint, copying, finishingWAL, verifying, syncing, configuring, starting
        case done, failed
    }

    public var phase: Phase
    /// Bytes of base data received, or found to be in the target already.
    public var bytesDone: UInt64
    /// The server's estimate; nil before it is known or without `estimateSize`.
    public var bytesTotal: UInt64?
    /// The file that is being received, with ``BaseBackup/Options/namesFiles``: in plain format its path in the data
    /// directory or tablespace, in tar format the archive's name.
    public var file: String?
    /// The average over the last seconds.
    public var bytesPerSecond: UInt64
    /// The remaining time of the copy at the current rate; nil if unknown.
    public var eta: Duration?
    public var tablespacesDone: Int
    public var tablespacesTotal: Int
    public var elapsed: Duration

    public init(
        phase: Phase, bytesDone: UInt64 = 0, bytesTotal: UInt64? = nil, bytesPerSecond: UInt64 = 0,
        eta: Duration? = nil,
        tablespacesDone: Int = 0, tablespacesTotal: Int = 0, elapsed: Duration = .zero, file: String? = nil
    ) {
        self.file = file
        self.phase = phase
        self.bytesDone = bytesDone
        self.bytesTotal = bytesTotal
        self.bytesPerSecond = bytesPerSecond
        self.eta = eta
        self.tablespacesDone = tablespacesDone
        self.tablespacesTotal = tablespacesTotal
        self.elapsed = elapsed
    }

    /// From 0 to 1; nil if the total is not known. Capped at 1: the server's estimate may be too low.
    public var fraction: Double? {
        guard let bytesTotal, bytesTotal > 0 else { return nil }
        return min(1, Double(bytesDone) / Double(bytesTotal))
    }
}

/// The result of a finished backup.
public struct BackupResult: Sendable, Equatable, Codable {
    public var startLSN: LSN
    public var endLSN: LSN
    public var timeline: TimelineID
    /// The number of files whose size and checksum match the manifest; nil without a manifest.
    public var verifiedFiles: Int?
    /// Bytes of base data.
    public var bytes: UInt64
    /// Bytes of these that the target had already, and that were not sent: see ``BaseBackup/Options/existing``.
    public var keptBytes: UInt64
    /// As `server_version_num`: 150018.
    public var serverVersion: Int
    public var systemIdentifier: String

    public init(
        startLSN: LSN, endLSN: LSN, timeline: TimelineID, verifiedFiles: Int?, bytes: UInt64, serverVersion: Int,
        systemIdentifier: String, keptBytes: UInt64 = 0
    ) {
        self.startLSN = startLSN
        self.endLSN = endLSN
        self.timeline = timeline
        self.verifiedFiles = verifiedFiles
        self.bytes = bytes
        self.keptBytes = keptBytes
        self.serverVersion = serverVersion
        self.systemIdentifier = systemIdentifier
    }
}
