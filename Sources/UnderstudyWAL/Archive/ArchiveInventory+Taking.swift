import UnderstudyCompression

extension ArchiveInventory {
    /// What was found in an archive, from which the inventory is taken.
    package struct Findings: Sendable {
        package var files: [ArchivedFile]
        package var segmentSize: WALSegmentSize
        package var systemIdentifier: String?
        /// The histories that could be read.
        package var histories: [TimelineHistory] = []
        /// The gaps that were noted, by the name of the note.
        package var noted: [String: WALGap] = [:]
        package var setAside: [ArchivedFile] = []
        package var brokenLinks: [BrokenLink] = []

        package init(files: [ArchivedFile], segmentSize: WALSegmentSize, systemIdentifier: String?) {
            self.files = files
            self.segmentSize = segmentSize
            self.systemIdentifier = systemIdentifier
        }
    }

    /// - Parameter reader: Asked about incomplete files and the newest ones.
    package init<Reader: ArchiveReader>(
        _ found: Findings, backups: [BackupWALRange], reading reader: inout Reader
    ) throws(Reader.Failure) {
        let readable = ArchiveListing(found.files.map(ArchiveListing.File.init), segmentSize: found.segmentSize)
        let sizes = Dictionary(found.files.map { ($0.name, $0.bytes) }) { $1 }
        segmentSize = found.segmentSize
        systemIdentifier = found.systemIdentifier
        setAside = found.setAside
        brokenLinks = found.brokenLinks
        files = found.files.sorted { $0.name < $1.name }
        sort(found, readable)

        let opaque = OpaqueSegments(self.opaque, beside: readable.segments, size: found.segmentSize)
        let listing = ArchiveListing(
            found.files.map(ArchiveListing.File.init) + opaque.names.map { .init($0) }, segmentSize: found.segmentSize)
        var reading = OpaqueReader(base: reader, opaque: opaque)
        defer { reader = reading.base }
        let chains = Chains(listing, found.histories, self.opaque)
        guard let newest = chains.newest else { return }
        let main = chains.history(of: newest)
        for id in chains.timelines {
            timelines.append(try timeline(id, chains, main, listing, sizes, &reading))
        }
        let way = try Way(main, listing, &reading)
        note(way, found.noted.values.filter { !listing.fills($0) })
        for backup in backups {
            let history = chains.history(for: backup.start)
            let way = history == main ? way : try Way(history, listing, &reading)
            restorable.append(way.restorable(backup))
        }
    }

    /// Tells the files apart that are not segments.
    private mutating func sort(_ found: Findings, _ listing: ArchiveListing) {
        let segments = Set(listing.segments.map(\.fileName)), missized = Set(listing.missized.map(\.fileName))
        for file in files where !segments.contains(file.name) {
            if let gap = found.noted[file.name] {
                noteFiles[file] = gap.end.lsn
            } else if missized.contains(file.name) {
                unusable.append(file)
            } else if BackupHistoryName.isFileName(file.name) {
                backupHistories.append(file)
            } else if ArchivedHistory(fileName: file.name) == nil {
                if let file = OpaqueFile(file), !file.isCompanion { opaque.append(file) } else { others.append(file) }
            }
        }
    }

    private func timeline<Base: ArchiveReader>(
        _ id: TimelineID, _ chains: Chains, _ main: TimelineHistory, _ listing: ArchiveListing,
        _ sizes: [String: UInt64], _ reader: inout OpaqueReader<Base>
    ) throws(Base.Failure) -> Timeline {
        let hasHistory = listing.history(of: id) != nil
        let opaqueHistory = opaque.first { $0.kind == .history && $0.stem == id.historyFileName }?.file.name
        var timeline = Timeline(
            id: id, beginning: chains.beginning(of: id), hasHistory: hasHistory,
            opaqueHistory: hasHistory ? nil : opaqueHistory, ranges: [], partials: [])
        for file in listing.segments.reversed() where file.segment.timeline == id {
            let opaque = reader.opaque[file]
            let bytes = opaque?.file.bytes ?? sizes[file.fileName] ?? 0
            let isDiverged = [.diverged, .future].contains(file.relation(to: main))
            if file.isPartial {
                timeline.partials.append(
                    Partial(file: file, bytes: bytes, end: try reader.end(of: file), isDiverged: isDiverged))
            } else {
                timeline.add(file, bytes, isDiverged, opaqueSuffix: opaque?.suffix)
            }
        }
        return timeline
    }

    /// The stretches and gaps on the way to the newest timeline.
    private mutating func note(_ way: Way, _ noted: [WALGap]) {
        let known = Set(way.gaps.map(\.end))
        let more = noted.filter { !known.contains($0.end) }
        gaps =
            (way.gaps.map { gap in Gap(range: gap, isNoted: noted.contains { $0.end == gap.end }) }
            + more.map { Gap(range: $0, isNoted: true) }).sorted { $0.range.start.lsn < $1.range.start.lsn }
        guard let extent = way.extent else { return }
        var start = extent.lowerBound
        for end in way.gaps.map(\.start.lsn) + [extent.upperBound] {
            if end > start { stretches.append(Stretch(start: way.position(start), end: way.position(end))) }
            start = way.gaps.first { $0.start.lsn == end }?.end.lsn ?? end
        }
    }
}

extension ArchiveInventory.Timeline {
    /// - Parameter file: A complete one; they come oldest first.
    fileprivate mutating func add(
        _ file: ArchivedSegment, _ bytes: UInt64, _ isDiverged: Bool, opaqueSuffix: String?
    ) {
        let index = ranges.count - 1
        let methods: [Compression.Method?: Int] = opaqueSuffix == nil ? [file.compression: 1] : [:]
        if index >= 0, ranges[index].isDiverged == isDiverged, ranges[index].opaqueSuffix == opaqueSuffix,
            file.segment.number <= ranges[index].last.number + 1
        {
            ranges[index].last = file.segment
            ranges[index].files += 1
            ranges[index].bytes += bytes
            ranges[index].compressions.merge(methods, uniquingKeysWith: +)
        } else {
            ranges.append(
                .init(
                    first: file.segment, last: file.segment, files: 1, bytes: bytes,
                    compressions: methods, opaqueSuffix: opaqueSuffix, isDiverged: isDiverged))
        }
    }
}

/// The timelines of an archive, and how they come from each other.
private struct Chains {
    private let known: [TimelineID: TimelineHistory]
    /// Those with files, oldest first.
    let timelines: [TimelineID]

    var newest: TimelineID? { timelines.last }

    init(_ listing: ArchiveListing, _ histories: [TimelineHistory], _ opaque: [OpaqueFile]) {
        known = Dictionary(histories.map { ($0.timeline, $0) }) { $1 }
        timelines = Set(
            listing.segments.map(\.segment.timeline) + listing.histories.map(\.timeline)
                + opaque.compactMap { $0.kind == .history ? TimelineID(historyFileName: $0.stem) : nil }
        ).sorted()
    }

    /// A timeline without a history file counts as one without ancestors, unless that of a younger one tells them.
    func history(of timeline: TimelineID) -> TimelineHistory {
        if let history = known[timeline] { return history }
        let child = known.values.filter { $0.contains(timeline) }.min { $0.timeline < $1.timeline }
        return child?.history(of: timeline) ?? TimelineHistory(root: timeline)
    }

    func beginning(of timeline: TimelineID) -> WALPosition? {
        history(of: timeline).ancestors.last.map { WALPosition(timeline: $0.timeline, lsn: $0.switchLSN) }
    }

    /// The history of the newest timeline that a position belongs to.
    func history(for position: WALPosition) -> TimelineHistory {
        let all = timelines.reversed().map(history(of:))
        return all.first { $0.contains(position.timeline) && $0.timeline(of: position.lsn) == position.timeline }
            ?? history(of: position.timeline)
    }
}

extension TimelineHistory {
    /// That of an ancestor.
    fileprivate func history(of ancestor: TimelineID) -> TimelineHistory {
        TimelineHistory(ancestor, ancestors: ancestors.filter { $0.timeline < ancestor })
    }
}

/// The way that a restore to a timeline takes through an archive.
private struct Way {
    let history: TimelineHistory
    /// From the first to the last byte on it; nil if there is none.
    let extent: Range<LSN>?
    let gaps: [WALGap]
    /// What only files hold that are not read here.
    private let opaque: [Range<LSN>]

    init<Base: ArchiveReader>(
        _ history: TimelineHistory, _ listing: ArchiveListing, _ reader: inout OpaqueReader<Base>
    ) throws(Base.Failure) {
        self.history = history
        // Files of other timelines would decide where the way ends.
        let names = listing.segments.filter { history.contains($0.segment.timeline) }.map(\.fileName)
        let plan = try ArchiveListing(names: names, segmentSize: listing.segmentSize)
            .plan(timeline: history.timeline, history: history, reading: &reader)
        let all = try plan.gaps(reading: &reader), whole = try plan.extent(reading: &reader)
        // Incomplete segments of old timelines stay when all before a limit is removed: they are no beginning.
        let first = plan.past.map(\.file).filter { !$0.isPartial }.map(\.segment.startLSN).min()
        let before = all.filter { gap in first.map { gap.end.lsn <= $0 } ?? false }
        gaps = Array(all.dropFirst(before.count))
        opaque = plan.past.filter { reader.opaque[$0.file] != nil && $0.file.segment.startLSN < $0.limit }
            .map { $0.file.segment.startLSN..<$0.limit }
        extent = whole.map { max($0.lowerBound, before.last?.end.lsn ?? .invalid)..<$0.upperBound }
    }

    func position(_ lsn: LSN) -> WALPosition { WALPosition(timeline: history.timeline(of: lsn), lsn: lsn) }

    func restorable(_ backup: BackupWALRange) -> ArchiveInventory.Restorable {
        var result = ArchiveInventory.Restorable(
            backup: backup, timeline: history.timeline, from: backup.end, to: nil, missing: nil)
        let start = backup.start
        let needed = backup.end ?? start
        guard let extent, start.lsn < extent.upperBound else {
            result.missing = WALGap(start: start, end: needed)
            return result
        }
        guard start.lsn >= extent.lowerBound else {
            result.missing = WALGap(start: start, end: position(extent.lowerBound))
            return result
        }
        let gap = gaps.first { $0.end.lsn > start.lsn }
        let end = min(gap?.start.lsn ?? extent.upperBound, extent.upperBound)
        if let gap, gap.start.lsn <= start.lsn {
            result.missing = WALGap(start: start, end: gap.end)
        } else if end < needed.lsn {
            result.missing = gap ?? WALGap(start: position(end), end: needed)
        } else {
            result.to = position(end)
            result.needsOpaque = opaque.contains { $0.upperBound > start.lsn && $0.lowerBound < end }
        }
        return result
    }
}
