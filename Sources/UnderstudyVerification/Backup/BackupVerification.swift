public import UnderstudyCore
import UnderstudyPlatform

/// Proves that a base backup is whole: its files are those of its manifest, byte for byte, and the WAL that it needs to
/// become consistent is there.
///
/// It checks what pg_verifybackup(1) checks, in the same order, and reads WAL itself. Nothing is written. Files are read on
/// all processors; memory holds the manifest's paths and checksums, some 100 bytes for a file, and no content.
///
/// ```swift
/// let report = try await BackupVerification(of: "/srv/backup").run { progress in
///     print(progress.bytesDone, "of", progress.bytesTotal)
/// }
/// for finding in report.findings { print(finding.message) }
/// ```
///
/// What a backup has beside its manifest is not looked at: `backup_manifest`, `pg_wal` but for the WAL, files that a
/// restoring user changes (`postgresql.auto.conf`, `recovery.signal`, `standby.signal`), and ``ignored``.
public struct BackupVerification: Sendable {
    public var directory: String
    /// nil for `backup_manifest` in the directory.
    public var manifestPath: String?
    /// Where the WAL is; nil for `pg_wal` in the directory, or `pg_wal.tar` of archives.
    public var walDirectory: String?
    /// nil: plain if there is a file `PG_VERSION` or none of a tar format backup.
    public var format: Format?
    /// Paths beneath the directory that are not looked at, with all that is beneath them.
    public var ignored: [String] = []
    /// False: that files are there and have the right sizes is enough.
    public var verifiesChecksums = true
    public var verifiesWAL = true
    /// Ends with the first finding.
    public var stopsAtFirstFinding = false

    @nonexhaustive
    public enum Format: String, Hashable, Sendable, CaseIterable {
        /// A data directory.
        case plain
        /// base.tar and one archive for each tablespace, compressed or not.
        case tar
    }

    public init(of directory: String) {
        self.directory = directory
    }

    /// What was found, and what was looked at.
    public struct Report: Hashable, Sendable {
        /// In the order in which they were found; those of file contents in any order.
        public var findings: [BackupFinding] = []
        public var format = Format.plain
        /// The version of the manifest: 2 from PostgreSQL 17 on.
        public var manifestVersion = 0
        /// The number of files in the manifest.
        public var fileCount = 0
        /// What was read to compare checksums, in bytes.
        public var bytesVerified: UInt64 = 0
        /// The number of records of WAL that are there and sound.
        public var walRecordCount: UInt64 = 0

        /// Whether nothing is wrong.
        public var isSound: Bool { findings.isEmpty }
    }

    /// How far the comparison of checksums is.
    public struct Progress: Hashable, Sendable {
        public var bytesDone: UInt64
        public var bytesTotal: UInt64
        public var bytesPerSecond: UInt64
        /// nil while the rate is not known.
        public var timeLeft: Duration?
        /// Since the beginning of the comparison.
        public var elapsed: Duration
    }

    /// Verifies the backup.
    ///
    /// - Parameters:
    ///   - found: Gets each finding at once, one at a time, on threads of the run.
    ///   - progress: Is called some times a second while files are read, on threads of the run; first with nothing done, last
    ///     with all.
    /// - Throws: If there is no manifest that can be read, or no such directory. Whatever else is wrong is a finding.
    public func run(
        found: @escaping @Sendable (BackupFinding) -> Void = { _ in },
        progress: @escaping @Sendable (Progress) -> Void = { _ in }
    ) async throws(UnderstudyError) -> Report {
        let interrupt = Interrupt()
        return try await OwnThread.run("verify-backup", interrupt: interrupt, failure: { UnderstudyError($0) }) {
            () throws(UnderstudyError) in
            try VerificationRun(self, interrupt, found, progress).run()
        }
    }
}

/// Something that is wrong with a backup.
public struct BackupFinding: Error, Hashable, Sendable, CustomStringConvertible {
    /// Later versions may have more kinds: switch over it with `@unknown default`.
    @nonexhaustive
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// A file of the manifest is not there.
        case missing
        /// A file is there that the manifest does not list.
        case extra
        case size
        case checksum
        /// Neither a file nor a directory where one of them should be.
        case fileType
        /// A file or directory that could not be read, and so was not verified.
        case unreadable
        /// pg_control is damaged, or of another cluster than the manifest. Nothing else was verified after it.
        case controlFile
        /// WAL that the backup needs is missing or damaged.
        case wal
        /// An archive is damaged or ends too early.
        case archive
    }

    public var kind: Kind
    /// Relative to the data directory, or the name of an archive; of WAL, nil. Bytes that are not UTF-8 are escaped.
    public var path: String?
    /// pg_verifybackup's words, of 18.
    public var message: String
    /// A sentence with more than these say.
    public var detail: String?

    public init(kind: Kind, path: String?, message: String, detail: String? = nil) {
        self.kind = kind
        self.path = path
        self.message = message
        self.detail = detail
    }

    public var description: String { message }
}
