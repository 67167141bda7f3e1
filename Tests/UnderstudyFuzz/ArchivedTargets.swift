import UnderstudyCompression
import UnderstudyWAL

/// The names in a WAL archive, a line each, and the first page of a segment behind them: whatever somebody put there.
func fuzzArchived(_ bytes: [UInt8]) {
    for size in [1 << 20, 16 << 20, 1 << 30].compactMap({ WALSegmentSize(bytes: $0) }) {
        let lines = bytes.split(separator: UInt8(ascii: "\n")).prefix(8)
        let segments = lines.compactMap { line -> ArchivedSegment? in
            let name = String(decoding: line, as: UTF8.self)
            guard let segment = ArchivedSegment(fileName: name, size: size) else { return nil }
            precondition(segment.fileName == name, "a name changes when it is written again")
            precondition(!name.contains("/") && !name.contains("\0"), "a name leads elsewhere")
            precondition(ArchivedSegment.isFileName(name), "a name is one, and is not")
            precondition(segment.nextLSN == segment.segment.startLSN || segment.nextLSN == segment.segment.endLSN)
            return segment
        }
        for one in segments {
            precondition(!one.isNewer(than: one))
            for other in segments where one != other {
                precondition(one.isNewer(than: other) != other.isNewer(than: one), "two names have no order")
            }
        }
    }
    for size in [1 << 20, 16 << 20, 1 << 30].compactMap({ WALSegmentSize(bytes: $0) }) {
        let names = bytes.split(separator: UInt8(ascii: "\n")).prefix(8).map { String(decoding: $0, as: UTF8.self) }
        let listing = ArchiveListing(names: names, segmentSize: size)
        var reader = TrustedNames()
        let kept = try? TimelineHistory(parsing: bytes, of: 9)
        for history in [TimelineHistory(root: 1), kept].compactMap(\.self) {
            let plan = listing.plan(timeline: history.timeline, history: history, kept: [], reading: &reader)
            precondition(plan.next?.lsn.isSegmentStart(size) ?? true, "a stream begins within a segment")
            precondition(plan.ahead == nil || plan.next == nil, "a server that is behind is followed")
            for gap in plan.gaps(reading: &reader) { precondition(gap.start.lsn < gap.end.lsn, "a gap is empty") }
            _ = plan.stale
        }
    }
    if let header = WALPageHeader(bytes) {
        precondition(UInt64(header.systemIdentifier) != nil && header.segmentSize <= UInt64(UInt32.max))
    }
}

/// A compressed file, whole and in two parts: the same comes out, and no more than the format can hold.
func fuzzCompressed(_ input: [UInt8]) {
    guard let cut = CutInput(input) else { return }
    let method = Compression.Method.allCases[Int(cut.control) % Compression.Method.allCases.count]
    let whole = decompress(cut.bytes, [cut.bytes.indices], method)
    let parted = decompress(cut.bytes, cut.pieces, method)
    // libzstd takes a frame that it sees whole in another way, and finds other flaws of its header.
    if method != .zstd {
        precondition(whole.isComplete == parted.isComplete, "success depends on how the bytes are cut")
    }
    // What comes out before damage is found may differ.
    if whole.isComplete && parted.isComplete {
        precondition(whole.plain == parted.plain, "content depends on how the bytes are cut")
    }
}

private func decompress(
    _ bytes: [UInt8], _ pieces: [Range<Int>], _ method: Compression.Method
) -> (plain: [UInt8], isComplete: Bool) {
    var plain: [UInt8] = []
    do throws(CompressionError) {
        var decompressor = try Decompressor(method)
        for piece in pieces {
            var rest = unsafe bytes.span.bytes.extracting(piece)
            while let next = try decompressor.nextPiece(of: &rest) {
                precondition(next.byteCount > 0, "a piece without content")
                // Some bytes of input may stand for very many: enough is known of them.
                guard plain.count < 1 << 18 else { return (plain, false) }
                for index in 0..<next.byteCount {
                    plain.append(unsafe next.unsafeLoad(fromByteOffset: index, as: UInt8.self))
                }
            }
        }
        return (plain, decompressor.isAtEnd)
    } catch { return (plain, false) }
}
