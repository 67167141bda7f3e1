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
            return
        }
        let segments = Segments(inventory, size)
        (limit, decidedBy) = try Self.limit(rules, size, newest: segments.newest)
        let restorable = inventory.restorable.filter { rules.backups.contains($0.backup) }
        notRestorable = restorable.filter { $0.to == nil }

        let oldEnough = rules.newerThan.map { now - $0.components.seconds }
        let end = segments.endOfOld(before: limit.segmentNumber(size), modifiedBefore: oldEnough)
        for (segment, file) in segments.all {
            if segment.segment.startLSN >= limit {
                kept += 1
                keptBytes += file.bytes
            } else if segment.isPartial {
                spared.append(Spared(file: file, reason: .partial))
            } else if segment.segment.number >= end {
                spared.append(Spared(file: file, reason: .young))
            } else if segment.segment.number == segments.newestComplete {
                spared.append(Spared(file: file, reason: .newest))
            } else {
                removed.append(file)
            }
        }
        try checkStarts(inventory)
        noteGaps(inventory, segments, size)
        // Behind the segments: as long as one of those is there, so is what is said of it.
        removed += inventory.notes(before: LSN(rawValue: end * size.bytes), size)
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
            let first = ArchivedSegment(fileName: name, size: size)?.segment
                ?? BackupHistoryName(name, size: size)?.segment
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
    let all: [(segment: ArchivedSegment, file: ArchivedFile)]
    let newest: UInt64?
    let newestComplete: UInt64?

    init(_ inventory: ArchiveInventory, _ size: WALSegmentSize) {
        all = inventory.files.compactMap { file in
            ArchivedSegment(fileName: file.name, size: size).map { ($0, file) }
        }.sorted { $1.0.isNewer(than: $0.0) }
        newest = all.last?.segment.segment.number
        let unusable = Set(inventory.unusable.map(\.name))
        newestComplete =
            all.last { !$0.segment.isPartial && !unusable.contains($0.file.name) }?.segment.segment.number
    }

    /// The number of the first segment that is not old enough to go, or `limit`. What follows a young one stays, too, so that
    /// there is no hole.
    func endOfOld(before limit: UInt64, modifiedBefore time: Int64?) -> UInt64 {
        guard let time else { return limit }
        let young = all.first { !$0.segment.isPartial && $0.file.modified >= time }?.segment.segment.number
        return min(limit, young ?? limit)
    }
}

extension ArchiveInventory {
    /// Backup history files, and notes of gaps, that speak of WAL before a limit alone.
    fileprivate func notes(before limit: LSN, _ size: WALSegmentSize) -> [ArchivedFile] {
        let backups = backupHistories.filter { file in
            BackupHistoryName(file.name, size: size).map { $0.start.lsn < limit } ?? false
        }
        return backups + noteFiles.filter { $0.value <= limit }.map(\.key).sorted { $0.name < $1.name }
    }
}
