import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// The end of what an archive holds, to be compared with what the server sends for the same place.
extension ArchiveSurvey {
    /// So many bytes are enough: lives of a server that have parted do not meet again.
    private static let tailSize = 1 << 20
    /// A segment may hold next to nothing, so that some more are looked into.
    private static let mostPieces = 4

    /// - Parameter past: From the file on where the stream goes on, newest first.
    mutating func readTail(
        _ past: [(ArchivedSegment, ArchivedSegment.Relation)]
    ) throws(WALDestinationError) {
        var left = Self.tailSize
        var complete: Set<WALSegmentName> = []
        for (file, relation) in past where left > 0 && found.tail.count < Self.mostPieces {
            let name = file.segment
            // A partial file beside a complete one has nothing more to say.
            if complete.contains(name) { continue }
            var limit = name.endLSN
            switch relation {
            case .past: break
            case .pastUpTo(let fork): limit = fork
            case .diverged, .future: continue
            }
            let contents = ArchivedContents(file, in: directory)
            guard let extent = try contents.extent() else { continue }
            let end = min(limit, LSN(rawValue: name.startLSN.rawValue + UInt64(extent.end)))
            let isWhole = !file.isPartial && extent.isWhole
            if isWhole { complete.insert(name) }
            // Records end at multiples of 8, and may do so with zeros.
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
