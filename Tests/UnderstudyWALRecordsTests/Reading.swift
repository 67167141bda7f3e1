import UnderstudyTestSupport
import UnderstudyWAL
import UnderstudyWALRecords

/// What a reader found.
struct Reading: Equatable {
    var records: [WALRecord] = []
    var flaw: WALFlaw?
    var isComplete = false
    var next = LSN.invalid
    var cut: LSN?

    init(_ reader: WALRecordReader, _ records: [WALRecord]) {
        self.records = records
        flaw = reader.flaw
        isComplete = reader.isComplete
        next = reader.next
        cut = reader.cutRecord
    }

    /// Reads bytes in pieces.
    ///
    /// - Parameter cuts: The offsets at which a new piece begins.
    init(_ bytes: [UInt8], at position: LSN, by start: WALRecordReader, cutAt cuts: [Int] = []) {
        var reader = start
        var records: [WALRecord] = []
        let places = [0] + cuts + [bytes.count]
        for (begin, end) in zip(places, places.dropFirst()) {
            let place = LSN(rawValue: position.rawValue + UInt64(begin))
            reader.take(bytes.raw.extracting(begin..<end), at: place) { records.append($0) }
        }
        reader.finish { records.append($0) }
        self.init(reader, records)
    }
}

extension Recording {
    var segmentSize: WALSegmentSize { WALSegmentSize(bytes: UInt64(meta.segment_size))! }

    /// The WAL of a recorded stream, as its messages have it.
    func pieces(_ session: String) throws -> [(position: LSN, bytes: ArraySlice<UInt8>)] {
        try copyData(session).filter { $0.first == UInt8(ascii: "w") }.map { message in
            let position = message.dropFirst().prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
            return (LSN(rawValue: position), message.dropFirst(25))
        }
    }

    /// A reader of all that a session has.
    func reader(_ session: String, upTo end: LSN? = nil) -> WALRecordReader {
        let facts = meta.streams[session]!
        return WALRecordReader(
            timeline: TimelineID(rawValue: facts.timeline), from: LSN(facts.start_lsn)!,
            upTo: end ?? LSN(facts.end_lsn)!, segmentSize: segmentSize, systemIdentifier: meta.system_identifier,
            pageSize: 8192)
    }
}
