import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Reads the end of an archive, to compare it with the server's WAL at the same positions.
extension ArchiveSurvey {
    /// How many bytes are enough: two histories of a server that have diverged do not become equal again.
    private static let tailSize = 1 << 20
    /// How many segments are read at most: one may hold next to nothing.
    private static let mostPieces = 4

    mutating func readTail(_ past: [ArchivePlan.Past]) throws(WALDestinationError) {
        var left = Self.tailSize
        var complete: Set<WALSegmentName> = []
        for past in past where left > 0 && found.tail.count < Self.mostPieces {
            let (file, limit) = (past.file, past.limit), name = file.segment
            // A partial file beside a complete one adds nothing.
            if complete.contains(name) { continue }
            let contents = ArchivedContents(file, in: directory)
            guard let extent = try contents.extent() else { continue }
            let end = min(limit, LSN(rawValue: name.startLSN.rawValue + UInt64(extent.end)))
            let isWhole = !file.isPartial && extent.isWhole
            if isWhole { complete.insert(name) }
            // Records end at multiples of 8, possibly with zeros.
            let aligned = min(limit, LSN(rawValue: (end.rawValue + 7) & ~7))
            let known = WALPosition(timeline: name.timeline, lsn: isWhole ? limit : aligned)
            if let found = found.end, found.timeline != known.timeline || found.lsn >= known.lsn {
            } else {
                found.end = known
            }
            var stop = end
            if let position = origin.position, name.timeline == origin.timeline { stop = min(stop, position) }
            guard let held = name.startLSN.distance(to: stop), held > 0 else { continue }
            let range = max(0, Int(held) - left)..<Int(held)
            let bytes = try contents.bytes(range)
            left -= range.count
            found.tail.append(
                WALHoldings.Piece(
                    start: WALPosition(
                        timeline: name.timeline, lsn: LSN(rawValue: name.startLSN.rawValue + UInt64(range.lowerBound))),
                    bytes: bytes))
        }
    }
}
