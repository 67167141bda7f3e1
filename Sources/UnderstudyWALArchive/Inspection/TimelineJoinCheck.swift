import UnderstudyCompression
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Checks that a timeline goes on where its history says that it does: its history agrees with those of its ancestors, its
/// first segment is there, and holds what the parent's file of that segment holds before the switch.
struct TimelineJoinCheck {
    typealias Finding = ArchiveCheck.Finding

    private let directory: ConfinedDirectory
    private let listing: ArchiveListing
    private let history: TimelineHistory
    private let known: [TimelineID: TimelineHistory]

    /// So much of two files is compared at once: a compressed one is decompressed again from its beginning for each piece.
    private static let window = 32 << 20

    init(
        _ snapshot: ArchiveSnapshot, _ size: WALSegmentSize, _ history: TimelineHistory,
        known: [TimelineID: TimelineHistory]
    ) {
        directory = snapshot.directory
        listing = ArchiveListing(snapshot.files.map { .init($0.name, size: $0.bytes) }, segmentSize: size)
        self.history = history
        self.known = known
    }

    func findings() throws(UnderstudyError) -> [Finding] {
        guard let parent = history.ancestors.last else { return [] }
        var findings = contradictions()
        guard
            let first = WALSegmentName(
                containing: parent.switchLSN, timeline: history.timeline, size: listing.segmentSize)
        else { return findings }
        let own = files(first)
        if own.isEmpty {
            if let finding = missing(first) { findings.append(finding) }
            return findings
        }
        guard let before = WALSegmentName(timeline: parent.timeline, number: first.number, size: listing.segmentSize),
            let other = files(before).first
        else { return findings }
        for file in own {
            if let finding = try difference(file, other, upTo: parent.switchLSN) { findings.append(finding) }
        }
        return findings
    }

    /// The files of a segment, a complete one first.
    private func files(_ segment: WALSegmentName) -> [ArchivedSegment] {
        let files = listing.segments.filter { $0.segment == segment }
        return files.filter { !$0.isPartial } + files.filter(\.isPartial)
    }

    private func contradictions() -> [Finding] {
        guard let file = listing.history(of: history.timeline) else { return [] }
        return history.ancestors.compactMap { ancestor in
            guard let other = known[ancestor.timeline], !history.agrees(with: other, before: ancestor.timeline) else {
                return nil
            }
            return Finding(
                file: file.fileName, kind: .history, offset: nil, contentOffset: nil, lsn: nil,
                message: "tells the history of timeline \(ancestor.timeline) in another way than that one's own file")
        }
    }

    /// - Parameter first: The segment in which the timeline begins, which is not there. That is damage only if the archive
    ///   goes on behind it and has something before it: older ones may have been removed in order.
    private func missing(_ first: WALSegmentName) -> Finding? {
        let goesOn = listing.segments.contains {
            $0.segment.timeline == history.timeline && $0.segment.number > first.number
        }
        let hasPast = listing.segments.contains {
            history.contains($0.segment.timeline) && $0.segment.timeline < history.timeline
                && $0.segment.number <= first.number && !$0.isPartial
        }
        guard goesOn, hasPast else { return nil }
        return Finding(
            file: "\(first)", kind: .join, offset: nil, contentOffset: nil, lsn: first.startLSN,
            message: "is missing: timeline \(history.timeline) begins in it")
    }

    // MARK: - Bytes

    private func difference(
        _ file: ArchivedSegment, _ parent: ArchivedSegment, upTo limit: LSN
    ) throws(UnderstudyError) -> Finding? {
        do throws(WALDestinationError) {
            let mine = ArchivedContents(file, in: directory), theirs = ArchivedContents(parent, in: directory)
            var end = Int(limit.segmentOffset(listing.segmentSize))
            for contents in [mine, theirs] where contents.segment.isPartial {
                end = min(end, try contents.extent()?.end ?? 0)
            }
            var start = 0
            while start < end {
                let range = start..<min(end, start + Self.window)
                let left = try mine.bytes(range), right = try theirs.bytes(range)
                // One that ends too early or is damaged is reported as such.
                let count = min(left.count, right.count)
                if left.prefix(count) != right.prefix(count) {
                    let index = (0..<count).first { left[$0] != right[$0] } ?? 0
                    return finding(file, parent, UInt64(start + index))
                }
                if count < range.count { return nil }
                start = range.upperBound
            }
            return nil
        } catch {
            // It is reported as one that cannot be read.
            if error.isOfFile { return nil }
            // It may have been finished or set aside meanwhile.
            if ![file, parent].allSatisfy({ directory.exists(RelativePath($0.fileName)) }) { return nil }
            throw UnderstudyError(error)
        }
    }

    private func finding(_ file: ArchivedSegment, _ parent: ArchivedSegment, _ offset: UInt64) -> Finding {
        Finding(
            file: file.fileName, kind: .join, offset: file.compression == nil ? offset : nil, contentOffset: offset,
            lsn: file.segment.startLSN.advanced(by: offset),
            message: "differs from \"\(parent.fileName)\" before timeline \(history.timeline) begins")
    }
}
