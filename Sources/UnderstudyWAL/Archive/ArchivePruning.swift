/// What can go from an archive because no base backup that is kept needs it: a plan, made from what was found, which
/// removes nothing by itself. See ``WALArchive/prune(_:)``.
///
/// All complete segments before one limit go, whatever their timeline, as with pg_archivecleanup: what a kept backup can
/// reach lies behind its start. History files, partial segments, the newest complete segment and what lies in `diverged`
/// stay in any case. A file in a form that is not read here stays, and so does all that follows it, unless its suffix is
/// named. Of a symbolic link the link goes, and what it leads to stays.
///
/// ```swift
/// let archive = WALArchive("/srv/wal")
/// let plan = try await archive.pruning(.init(keeping: try await archive.backups(at: "/srv/backups")))
/// print(plan.removed.count, plan.bytes, plan.warnings)
/// try await archive.prune(plan)
/// ```
public struct ArchivePruning: Hashable, Sendable {
    /// What is to be kept. All rules hold together.
    public struct Rules: Hashable, Sendable {
        /// Backups that are kept: each keeps all that follows its start.
        public var backups: [BackupWALRange]
        /// Keeps this segment and what follows it, on all timelines: the name of its file, or of a backup history file that
        /// begins with it. Without it, the oldest of the backups decides.
        public var first: String?
        /// Keeps what was written in this time, and all that follows; it needs a backup, or a segment, from which on all is
        /// kept.
        public var newerThan: Duration?

        /// Suffixes of names, each with its dot: `.xz`. Segments and backup history files with such a name count as if they
        /// could be read here.
        public var suffixes: Set<String>

        public init(
            keeping backups: [BackupWALRange] = [], first: String? = nil, newerThan: Duration? = nil,
            suffixes: Set<String> = []
        ) {
            self.backups = backups
            self.first = first
            self.newerThan = newerThan
            self.suffixes = suffixes
        }
    }

    /// Files that are older than what the rules keep, and stay all the same.
    public struct Spared: Hashable, Sendable {
        /// Why they stay. Later versions may have more reasons: switch over it with `@unknown default`.
        @nonexhaustive
        public enum Reason: String, Hashable, Sendable, CaseIterable {
            /// The newest complete segment.
            case newest
            /// An incomplete segment.
            case partial
            /// It, or one before it, is not old enough.
            case young
            /// It, or one before it, is in a form that is not read here, and the rules do not name its suffix: see
            /// ``OpaqueFile``.
            case opaque
            /// A symbolic link that leads nowhere: what it stood for is not known.
            case brokenLink
        }

        public var file: ArchivedFile
        public var reason: Reason
    }

    /// From here on all is kept: a segment's start.
    public internal(set) var limit: LSN
    /// The backup whose start is the limit; nil if that is the segment of the rules.
    public internal(set) var decidedBy: BackupWALRange?
    /// The files that go, oldest first: segments, and the backup history files and notes of gaps that speak of WAL before the
    /// limit.
    public internal(set) var removed: [ArchivedFile] = []
    /// By name.
    public internal(set) var spared: [Spared] = []
    /// Segment files that stay because they are not older than the limit.
    public internal(set) var kept: Int = 0
    /// Their size in bytes, as they are stored.
    public internal(set) var keptBytes: UInt64 = 0
    /// Gaps of the archive that lie between files that go, or between them and what stays.
    public internal(set) var gaps: [WALGap] = []
    /// Backups that are to be kept, and that this archive does not restore all the same.
    public internal(set) var notRestorable: [ArchiveInventory.Restorable] = []
    let segmentSize: WALSegmentSize?

    /// The size of what goes, in bytes, as it is stored; what links lead to does not go.
    public var bytes: UInt64 { removed.reduce(0) { $0 + ($1.isLink ? 0 : $1.bytes) } }
    /// How many of the files that go are symbolic links.
    public var links: Int { removed.count { $0.isLink } }

    /// The files that may go still, by what the archive holds by now: an archiver may have set newer ones aside meanwhile.
    ///
    /// - Parameter names: All that are there now.
    package func stillRemovable(beside names: some Sequence<String>) -> [ArchivedFile] {
        guard let segmentSize else { return [] }
        let readable = { (name: String) in
            ArchivedSegment(fileName: name, size: segmentSize).flatMap { $0.isPartial ? nil : $0.segment.number }
        }
        let opaque = { (name: String) in
            OpaqueFile(named: name)?.segment(segmentSize)
                .flatMap { $0.isPartial ? nil : $0.segment.number }
        }
        let newest = names.lazy.compactMap(readable).max()
        let newestOfAll = max(newest ?? 0, names.lazy.compactMap(opaque).max() ?? 0)
        return removed.filter { file in
            if let segment = readable(file.name) { return newest.map { segment < $0 } ?? false }
            return opaque(file.name).map { $0 < newestOfAll } ?? true
        }
    }
}

/// Why no plan was made, and nothing may go.
public struct ArchivePruningError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Lower case, no full stop.
    public var message: String
    /// Whole sentences.
    public var detail: String?
    public var hint: String?

    public var description: String { message }
}
