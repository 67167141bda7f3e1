extension ArchivePlan {
    /// Finds the WAL that is missing between the segments of the server's past, and before the position where the stream
    /// continues.
    ///
    /// - Parameters:
    ///   - noted: Gaps that were recorded; they are not reported again.
    ///   - reader: Asked only about incomplete files, and only if something is missing after them.
    /// - Returns: The gaps, oldest first.
    public func gaps<Reader: ArchiveReader>(
        except noted: [WALGap] = [], reading reader: inout Reader
    ) throws(Reader.Failure) -> [WALGap] {
        guard let next else { return [] }
        let held = HeldSegments(past, before: next.lsn)
        let last = next.lsn.segmentNumber(segmentSize)
        var first = held.complete.min() ?? last
        // An archive may begin with an incomplete segment.
        for number in held.parts.keys.sorted() where number < first {
            if try held.end(of: number, reading: &reader) != nil { first = number }
        }
        var gaps: [WALGap] = []
        var expected = first
        for number in held.complete.sorted() + [last] {
            if number > expected {
                let begin = start(expected), end = start(number)
                var gapStart = max(begin, try held.end(of: expected, reading: &reader) ?? begin)
                // The segment may be held in full, but without the name of a complete one.
                if gapStart >= end { gapStart = begin }
                gaps.append(WALGap(start: position(gapStart, next), end: position(end, next)))
            }
            expected = number + 1
        }
        return gaps.filter { gap in
            !noted.contains {
                $0.start.lsn.segmentStart(segmentSize) == gap.start.lsn.segmentStart(segmentSize)
                    && $0.end.lsn == gap.end.lsn
            }
        }
    }

    /// The stretch of WAL that the archive holds of the server's past, with whatever gaps: the start of its first segment,
    /// and the position after its last byte. Nil if it holds nothing.
    ///
    /// - Parameter reader: Asked about incomplete files at either end only.
    package func extent<Reader: ArchiveReader>(
        reading reader: inout Reader
    ) throws(Reader.Failure) -> Range<LSN>? {
        guard let next else { return nil }
        let held = HeldSegments(past, before: next.lsn.advanced(by: segmentSize.bytes) ?? .unlimited)
        let last = next.lsn.segmentNumber(segmentSize)
        var first = held.complete.min() ?? last
        for number in held.parts.keys.sorted() where number < first {
            if try held.end(of: number, reading: &reader) != nil { first = number }
        }
        var end = max(next.lsn, try held.end(of: last, reading: &reader) ?? .invalid)
        if let incomplete { end = max(end, try reader.end(of: incomplete) ?? .invalid) }
        return start(first) < end ? start(first)..<end : nil
    }

    private func start(_ number: UInt64) -> LSN { LSN(rawValue: number * segmentSize.bytes) }

    private func position(_ lsn: LSN, _ next: WALPosition) -> WALPosition {
        WALPosition(timeline: history?.timeline(of: lsn) ?? next.timeline, lsn: lsn)
    }
}

/// What an archive holds of the segments before the position where the stream continues, by their numbers.
private struct HeldSegments {
    var complete: Set<UInt64> = []
    /// Files that hold the beginning of a segment.
    var parts: [UInt64: [ArchivePlan.Past]] = [:]

    init(_ past: [ArchivePlan.Past], before next: LSN) {
        for past in past where past.file.segment.startLSN < next {
            let segment = past.file.segment
            if !past.file.isPartial, past.limit == segment.endLSN {
                complete.insert(segment.number)
            } else {
                parts[segment.number, default: []].append(past)
            }
        }
    }

    /// The end of what is held of an incomplete segment; nil if that is nothing.
    func end<Reader: ArchiveReader>(
        of number: UInt64, reading reader: inout Reader
    ) throws(Reader.Failure) -> LSN? {
        var end: LSN?
        for part in parts[number] ?? [] {
            if let found = try reader.end(of: part.file) { end = max(end ?? .invalid, min(found, part.limit)) }
        }
        return end
    }
}
