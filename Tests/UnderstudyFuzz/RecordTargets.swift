import UnderstudyBackupFormat
import UnderstudyWAL

@testable import UnderstudyWALRecords

/// Pages of WAL at the start of a segment, and records in them: what comes out does not depend on how the bytes are cut, and
/// records follow each other.
///
/// The first byte says whether checksums are made right, without which mutation would not get beyond them, and whether the
/// range ends where it says.
func fuzzRecords(_ input: [UInt8]) {
    guard var cut = CutInput(input) else { return }
    let size = WALSegmentSize(bytes: 1 << 20)!
    let start = LSN(rawValue: 1 << 20)
    let end = cut.control & 2 == 0 ? nil : LSN(rawValue: start.rawValue + UInt64(cut.control) << 5)
    let reader = WALRecordReader(
        timeline: 1, from: start, upTo: end, segmentSize: size, startsAtRecord: cut.control & 4 == 0)
    if cut.control & 1 != 0 { sealRecords(&cut.bytes, reader) }
    let whole = read(cut.bytes, [cut.bytes.indices], reader)
    let parted = read(cut.bytes, cut.pieces, reader)
    precondition(whole.reader.flaw == parted.reader.flaw, "what is wrong depends on how the bytes are cut")
    precondition(whole.reader.next == parted.reader.next, "the end depends on how the bytes are cut")
    precondition(whole.records == parted.records, "records depend on how the bytes are cut")
    var last: WALRecord?
    for record in whole.records {
        precondition(record.position >= start && record.end > record.position)
        precondition(record.dataLength + record.imagesLength <= record.totalLength)
        if let last { precondition(record.previous == last.position && record.position >= last.end) }
        last = record
    }
    precondition(
        !whole.reader.isComplete || end.map { whole.reader.next <= $0 || last?.isSegmentSwitch == true } ?? false)
}

private func read(
    _ bytes: [UInt8], _ pieces: [Range<Int>], _ start: WALRecordReader
) -> (reader: WALRecordReader, records: [WALRecord]) {
    var reader = start
    var records: [WALRecord] = []
    for piece in pieces {
        let place = LSN(rawValue: start.start.rawValue + UInt64(piece.lowerBound))
        reader.take(bytes.rawSpan.extracting(piece), at: place) { records.append($0) }
    }
    reader.finish { records.append($0) }
    return (reader, records)
}

/// Gives the first records their right checksums.
private func sealRecords(_ bytes: inout [UInt8], _ start: WALRecordReader) {
    for _ in 0..<16 {
        let (reader, _) = read(bytes, [bytes.indices], start)
        guard let flaw = reader.flaw, flaw.kind == .checksum, let format = reader.format else { return }
        // The header may go on behind the header of the next page.
        var offset = Int(flaw.position.rawValue - start.start.rawValue)
        for _ in 0..<format.checksumOffset { step(&offset, reader.pageSize) }
        for index in 0..<4 {
            guard bytes.indices.contains(offset) else { return }
            let shift = UInt32(8 * (format.order == .little ? index : 3 - index))
            bytes[offset] = UInt8(truncatingIfNeeded: reader.computedChecksum >> shift)
            step(&offset, reader.pageSize)
        }
    }
}

private func step(_ offset: inout Int, _ pageSize: Int) {
    offset += 1
    if offset % pageSize == 0 { offset += WALRecordReader.shortHeader }
}
