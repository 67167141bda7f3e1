public import UnderstudyCompression

/// A file of an archive, as its directory tells it.
public struct ArchivedFile: Hashable, Sendable {
    /// Without directories.
    public var name: String
    /// In bytes, as it is stored.
    public var bytes: UInt64
    /// When its content was last written: seconds since 1970-01-01 00:00:00 UTC.
    public var modified: Int64
    /// Whether the name is that of a symbolic link to the file, which lies elsewhere.
    public var isLink: Bool

    public init(name: String, bytes: UInt64, modified: Int64, isLink: Bool = false) {
        self.name = name
        self.bytes = bytes
        self.modified = modified
        self.isLink = isLink
    }
}

/// What an archive holds, by the names and sizes of its files; only files at an end were read. Whether the files hold what
/// their names say is ``ArchiveCheck``'s to find out.
///
/// ```swift
/// let archive = WALArchive("/srv/wal")
/// let inventory = try await archive.inventory(backups: try await archive.backups(at: "/srv/backups"))
/// for backup in inventory.restorable {
///     print(backup.backup.name, backup.to.map { "up to \($0.lsn)" } ?? "not with this archive")
/// }
/// ```
public struct ArchiveInventory: Hashable, Sendable {
    /// Complete segments of a timeline that follow each other.
    public struct Range: Hashable, Sendable {
        public var first: WALSegmentName
        public var last: WALSegmentName
        /// The number of files, which is larger than that of segments where one is there plain and compressed.
        public var files: Int
        /// In bytes, as they are stored.
        public var bytes: UInt64
        /// The number of files for each method; nil stands for plain ones.
        public var compressions: [Compression.Method?: Int]
        /// The suffix of files that are not read here, such as `.xz`: that they hold their segments is known by their names
        /// alone. Nil for files that are read.
        public var opaqueSuffix: String?
        /// Whether they are not on the way to the newest timeline: a restore to that does not read them.
        public var isDiverged: Bool

        public var start: LSN { first.startLSN }
        public var end: LSN { last.endLSN }
        public var segments: UInt64 { last.number - first.number + 1 }
    }

    /// An incomplete segment.
    public struct Partial: Hashable, Sendable {
        public var file: ArchivedSegment
        /// In bytes, as it is stored.
        public var bytes: UInt64
        /// The position up to which it holds WAL, as far as that can be determined; nil if it holds none.
        public var end: LSN?
        /// As that of a range.
        public var isDiverged: Bool
    }

    public struct Timeline: Hashable, Sendable {
        public var id: TimelineID
        /// The parent, and where this timeline left it; nil for the first one, and where no history file tells it.
        public var beginning: WALPosition?
        /// Whether the archive has its history file.
        public var hasHistory: Bool
        /// The history file in a form that is not read here, if there is no other.
        public var opaqueHistory: String?
        /// Oldest first.
        public var ranges: [Range]
        /// Oldest first.
        public var partials: [Partial]
    }

    /// WAL without a gap, on the way to the newest timeline. A base backup that begins in it can be restored to anywhere
    /// between its own end and the end of the stretch.
    public struct Stretch: Hashable, Sendable {
        public var start: WALPosition
        /// The position after its last byte.
        public var end: WALPosition
    }

    /// WAL that is missing on the way to the newest timeline.
    public struct Gap: Hashable, Sendable {
        public var range: WALGap
        /// Whether the archiver left a note, because the server had removed that WAL.
        public var isNoted: Bool
    }

    /// What can be made of a base backup with this archive.
    public struct Restorable: Hashable, Sendable {
        public var backup: BackupWALRange
        /// The timeline that a restore ends on: the newest one that comes from the backup's.
        public var timeline: TimelineID
        /// The first position that can be restored to: the backup's end; nil if that is not known.
        public var from: WALPosition?
        /// The last position that can be restored to; nil if the archive lacks WAL without which the backup cannot be
        /// restored from it.
        public var to: WALPosition?
        /// The WAL that is missing, if `to` is nil. Both ends are equal if the archive has nothing from there on.
        public var missing: WALGap?
        /// Whether a restore up to `to` needs files that are not read here: see ``OpaqueFile``.
        public var needsOpaque = false
    }

    /// A file that could not be read, though it is looked at.
    public struct Unreadable: Hashable, Sendable {
        public var name: String
        /// Why: `Permission denied`.
        public var reason: String

        package init(name: String, reason: String) {
            self.name = name
            self.reason = reason
        }
    }

    /// A symbolic link with a name of WAL that leads to no file.
    public struct BrokenLink: Hashable, Sendable {
        public var name: String
        /// Why: `No such file or directory`.
        public var reason: String

        package init(name: String, reason: String) {
            self.name = name
            self.reason = reason
        }
    }

    /// nil if the archive has no segments.
    public var segmentSize: WALSegmentSize?
    /// Of the cluster; nil if no file tells it.
    public var systemIdentifier: String?
    /// Oldest first.
    public var timelines: [Timeline] = []
    /// Oldest first.
    public var stretches: [Stretch] = []
    /// Oldest first.
    public var gaps: [Gap] = []
    /// In the order of the backups.
    public var restorable: [Restorable] = []
    /// Files with names of segments that cannot be intact by their size, oldest first. They count as missing.
    public var unusable: [ArchivedFile] = []
    /// What lies in `diverged`.
    public var setAside: [ArchivedFile] = []
    /// Backup history files, oldest first.
    public var backupHistories: [ArchivedFile] = []
    /// Notes of gaps, and the position up to which the WAL that each speaks of is missing.
    public var noteFiles: [ArchivedFile: LSN] = [:]
    /// Files in a form that is not read here. Those with names of complete segments count as such where nothing else holds
    /// the segment: see ``Range/opaqueSuffix``.
    public var opaque: [OpaqueFile] = []
    /// Links that lead nowhere, by name. They count as missing.
    public var brokenLinks: [BrokenLink] = []
    /// Files that could not be read, by name. They count as what their names say.
    public var unreadable: [Unreadable] = []
    /// Files with names that mean nothing here.
    public var others: [ArchivedFile] = []
    /// All files, by name; not those in `diverged`, and not those that an archiver is about to write.
    public var files: [ArchivedFile] = []

    /// Of an archive that holds nothing.
    public init() {}

    /// The newest timeline: the one that a restore goes to unless it is told another.
    public var newestTimeline: TimelineID? { timelines.last?.id }

    /// The segment files that are not of use on the way to the newest timeline.
    public var divergedFiles: Int {
        timelines.reduce(0) { count, timeline in
            count + timeline.ranges.reduce(0) { $0 + ($1.isDiverged ? $1.files : 0) }
                + timeline.partials.count { $0.isDiverged }
        }
    }
}
