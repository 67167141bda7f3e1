extension ArchivePruning {
    /// Makes the plan, from values alone.
    ///
    /// - Parameters:
    ///   - inventory: Taken with the backups of the rules.
    ///   - now: Seconds since 1970-01-01 00:00:00 UTC.
    /// - Throws: If the rules contradict each other or the archive, so that more would go than is meant.
    public init(
        _ inventory: ArchiveInventory, _ rules: Rules, now: Int64
    ) throws(ArchivePruningError) {
        segmentSize = inventory.segmentSize
        limit = .invalid
        guard let size = inventory.segmentSize else {
            try Self.requireLimit(rules)
            try leaveAll(inventory.opaque, rules)
            return
        }
        let segments = Segments(inventory, size, suffixes: rules.suffixes)
        (limit, decidedBy) = try Self.limit(rules, size, newest: segments.newest)
        let restorable = inventory.restorable.filter { rules.backups.contains($0.backup) }
        notRestorable = restorable.filter { $0.to == nil }

        let oldEnough = rules.newerThan.map { now - $0.components.seconds }
        let young = segments.firstYoung(modifiedSince: oldEnough), unknown = segments.firstUnknown
        let end = min(limit.segmentNumber(size), young ?? .max, unknown ?? .max)
        for entry in segments.all {
            let (file, segment) = (entry.file, entry.segment)
            if segment.segment.startLSN >= limit {
                kept += 1
                keptBytes += file.bytes
            } else if segment.isPartial {
                spared.append(Spared(file: file, reason: .partial))
            } else if segment.segment.number >= end {
                let isOpaque = entry.isUnknown || segment.segment.number < young ?? .max
                spared.append(Spared(file: file, reason: isOpaque ? .opaque : .young))
            } else if segments.newestComplete.contains(segment.segment.number) {
                spared.append(Spared(file: file, reason: .newest))
            } else {
                removed.append(file)
            }
        }
        for link in inventory.brokenLinks {
            let file = ArchivedFile(name: link.name, bytes: 0, modified: 0, isLink: true)
            if let segment = Segments.segment(link.name, size), segment.startLSN < limit {
                spared.append(Spared(file: file, reason: .brokenLink))
            }
        }
        try checkStarts(inventory)
        noteGaps(inventory, segments, size)
        // Behind the segments: as long as one of those is there, so is what is said of it.
        removed += inventory.notes(before: LSN(rawValue: end * size.bytes), size, suffixes: rules.suffixes)
    }

    /// Without a segment that is read here, it is not known what numbers their names stand for.
    private mutating func leaveAll(_ files: [OpaqueFile], _ rules: Rules) throws(ArchivePruningError) {
        spared = files.filter { $0.kind == .segment }.map { Spared(file: $0.file, reason: .opaque) }
        guard spared.contains(where: { rules.suffixes.contains(OpaqueFile($0.file)?.suffix ?? "") }) else { return }
        throw ArchivePruningError(
            message: "the size of the archive's segments is not known",
            detail: "None of its files is in a form that is read here, and no backup that is kept tells the size.",
            hint: "Name a base backup with its backup_label, or let pg_archivecleanup -x remove them.")
    }

    // MARK: - The limit

    private static func requireLimit(_ rules: Rules) throws(ArchivePruningError) {
        guard rules.first == nil, rules.backups.isEmpty else { return }
        throw ArchivePruningError(
            message: "nothing says from where on WAL is kept",
            hint: "Name the base backups that are kept, or a segment.")
    }

    private static func limit(
        _ rules: Rules, _ size: WALSegmentSize, newest: UInt64?
    ) throws(ArchivePruningError) -> (LSN, BackupWALRange?) {
        try requireLimit(rules)
        let oldest = rules.backups.min { $0.start.lsn < $1.start.lsn }
        guard let name = rules.first else {
            return (oldest?.start.lsn.segmentStart(size) ?? .invalid, oldest)
        }
        guard
            let first = Segments.segment(name, size) ?? BackupHistoryName(name, size: size)?.segment
        else {
            throw ArchivePruningError(
                message: "\"\(name)\" is no name of a segment",
                hint: "Name one as the archive does: 24 hexadecimal digits, of which the first 8 are the timeline.")
        }
        if let oldest, first.startLSN > oldest.start.lsn {
            let needed = WALSegmentName(containing: oldest.start.lsn, timeline: oldest.start.timeline, size: size)
            throw ArchivePruningError(
                message: "segment \"\(first)\" is newer than what backup \"\(oldest.name)\" needs",
                detail: "A restore of it begins to replay at \(oldest.start.lsn) (timeline \(oldest.start.timeline)).",
                hint: needed.map {
                    "Keep from segment \($0) on. Or leave that backup out: it cannot be restored afterwards."
                })
        }
        if let newest, first.number > newest {
            throw ArchivePruningError(
                message: "segment \"\(first)\" is newer than all of the archive",
                detail: "Its newest segment has the number \(newest), and that one \(first.number).",
                hint: "Check the name: nearly all of the archive would go.")
        }
        return (first.startLSN, nil)
    }

    // MARK: - What is said of it

    /// A backup whose first segment is not there is not of this archive, or there is damage to look at before anything goes.
    private func checkStarts(_ inventory: ArchiveInventory) throws(ArchivePruningError) {
        guard !removed.isEmpty, let lost = notRestorable.first(where: { $0.missing?.start == $0.backup.start }) else {
            return
        }
        throw ArchivePruningError(
            message: "archive lacks the WAL with which a restore of backup \"\(lost.backup.name)\" begins",
            detail:
                "It begins to replay at \(lost.backup.start.lsn) (timeline \(lost.backup.start.timeline)). Nothing goes on account of a backup that the archive cannot restore.",
            hint: "Name a backup of this archive, or the segment from which on WAL is kept.")
    }

    private mutating func noteGaps(_ inventory: ArchiveInventory, _ segments: Segments, _ size: WALSegmentSize) {
        let gone = Set(removed.map(\.name))
        guard let first = segments.all.first(where: { gone.contains($0.file.name) })?.segment.segment.startLSN else {
            return
        }
        gaps = inventory.gaps.map(\.range).filter { $0.end.lsn > first && $0.start.lsn < limit }
    }
}

/// The segment files of an archive, oldest first.
private struct Segments {
    struct Entry {
        let segment: ArchivedSegment
        let file: ArchivedFile
        /// Whether it is in a form that is neither read here nor named by the rules.
        let isUnknown: Bool
    }

    let all: [Entry]
    /// The numbers of the newest complete one, and of the newest of those that are read.
    let newestComplete: Set<UInt64>

    var newest: UInt64? { all.last?.segment.segment.number }

    init(_ inventory: ArchiveInventory, _ size: WALSegmentSize, suffixes: Set<String>) {
        all = inventory.files.compactMap { file in
            if let segment = ArchivedSegment(fileName: file.name, size: size) {
                return Entry(segment: segment, file: file, isUnknown: false)
            }
            guard let opaque = OpaqueFile(file), let segment = opaque.segment(size) else { return nil }
            let isNamed = suffixes.contains(opaque.suffix)
            if opaque.isCompanion, !isNamed { return nil }
            return Entry(segment: segment, file: file, isUnknown: !isNamed)
        }.sorted { $1.segment.isNewer(than: $0.segment) }
        let unusable = Set(inventory.unusable.map(\.name))
        let complete = all.filter { !$0.segment.isPartial && !$0.isUnknown && !unusable.contains($0.file.name) }
        let readable = complete.last { OpaqueFile($0.file) == nil }
        newestComplete = Set([readable, complete.last].compactMap { $0?.segment.segment.number })
    }

    /// The number of the first segment that was written since `time`. What follows a young one stays, too, so that there is no
    /// hole.
    func firstYoung(modifiedSince time: Int64?) -> UInt64? {
        guard let time else { return nil }
        return all.first { !$0.segment.isPartial && $0.file.modified >= time }?.segment.segment.number
    }

    /// The number of the first segment in a form that is not known, behind which nothing goes for the same reason.
    var firstUnknown: UInt64? { all.first { $0.isUnknown && !$0.segment.isPartial }?.segment.segment.number }

    /// Of a name in whatever form.
    static func segment(_ name: String, _ size: WALSegmentSize) -> WALSegmentName? {
        (ArchivedSegment(fileName: name, size: size) ?? OpaqueFile(named: name)?.segment(size))?.segment
    }
}

extension ArchiveInventory {
    /// Backup history files, and notes of gaps, that speak of WAL before a limit alone.
    fileprivate func notes(before limit: LSN, _ size: WALSegmentSize, suffixes: Set<String>) -> [ArchivedFile] {
        let named = files.compactMap(OpaqueFile.init).filter {
            $0.kind == .backupHistory && suffixes.contains($0.suffix)
        }
        let backups = (backupHistories.map { ($0.name, $0) } + named.map { ($0.stem, $0.file) }).filter { name, _ in
            BackupHistoryName(name, size: size).map { $0.start.lsn < limit } ?? false
        }.map(\.1)
        return backups + noteFiles.filter { $0.value <= limit }.map(\.key).sorted { $0.name < $1.name }
    }
}
