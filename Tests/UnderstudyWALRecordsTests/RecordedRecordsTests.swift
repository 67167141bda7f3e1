import Testing
import UnderstudyTestSupport
import UnderstudyWAL
import UnderstudyWALRecords

@Suite("Recorded WAL of all versions")
struct RecordedRecordsTests {
    @Test("has records that follow each other up to its end", arguments: Recording.versions)
    func whole(_ version: String) throws {
        let recording = try Recording(version), session = "31-start-replication"
        var reader = recording.reader(session)
        var records: [WALRecord] = []
        for piece in try recording.pieces(session) {
            reader.take(unsafe piece.bytes.span.bytes, at: piece.position) { records.append($0) }
        }
        #expect(reader.flaw == nil && reader.isComplete && reader.cutRecord == nil)
        #expect(reader.next == LSN(recording.meta.streams[session]!.end_lsn))
        #expect(reader.recordCount == records.count && records.count > 30)
        // Two segments end with a switch.
        #expect(records.count(where: \.isSegmentSwitch) == 2)
        for (one, other) in zip(records, records.dropFirst()) {
            #expect(other.previous == one.position && other.position >= one.end)
        }
        let names = Set(records.map(\.resourceManager.name))
        #expect(names.isSuperset(of: ["XLOG", "Transaction", "Standby", "Heap"]), "\(names)")
        #expect(records.allSatisfy { $0.dataLength + $0.imagesLength < $0.totalLength })
    }

    @Test("goes on over the end of a timeline", arguments: Recording.versions)
    func timelines(_ version: String) throws {
        let recording = try Recording(version)
        let (parent, child) = ("43-start-replication-tli1", "44-start-replication-tli2")
        let streams = recording.meta.streams
        let fork = try #require(LSN(recording.meta.promoted.switch_lsn))
        let ranges = [
            WALRange(timeline: 1, start: LSN(streams[parent]!.start_lsn)!, end: fork),
            WALRange(timeline: 2, start: fork, end: LSN(streams[child]!.end_lsn)!),
        ]
        var files: [WALSegmentName: [(position: LSN, bytes: ArraySlice<UInt8>)]] = [:]
        for (timeline, session) in [(1, parent), (2, child)] as [(TimelineID, String)] {
            for piece in try recording.pieces(session) {
                let name = WALSegmentName(
                    containing: piece.position, timeline: timeline, size: recording.segmentSize)!
                files[name, default: []].append(piece)
            }
        }
        var images = 0
        func verify() -> (WALVerifier, asked: [String]) {
            var verifier = WALVerifier(
                ranges, segmentSize: recording.segmentSize, systemIdentifier: recording.meta.system_identifier)
            var asked: [String] = []
            while let request = verifier.request {
                guard let segment = request.segments.first(where: { files[$0] != nil }) else {
                    verifier.skip()
                    continue
                }
                asked.append("\(segment)")
                for piece in files[segment]! where !verifier.isOver(segment) {
                    verifier.take(unsafe piece.bytes.span.bytes, at: piece.position) { images += $0.imageCount }
                }
                verifier.finishSegment(segment) { _ in }
            }
            return (verifier, asked)
        }
        let first = WALSegmentName(containing: fork, timeline: 1, size: recording.segmentSize)!
        let copy = WALSegmentName(containing: fork, timeline: 2, size: recording.segmentSize)!
        let (sound, asked) = verify()
        #expect(images > 0)
        #expect(sound.flaws.isEmpty && sound.recordCount > 40)
        #expect(asked == ["\(first)", "\(copy)", "\(copy.next!)"])

        // The child's file has a copy of what the parent's has.
        files[first] = nil
        let (copied, others) = verify()
        #expect(copied.flaws.isEmpty && copied.recordCount == sound.recordCount)
        #expect(others == ["\(copy)", "\(copy)", "\(copy.next!)"])

        files[copy.next!] = nil
        let (missing, _) = verify()
        #expect(missing.flaws.map(\.kind) == [.missing] && missing.flaws.first?.position == copy.endLSN)
        #expect(missing.flaws.first?.message == "WAL segment \(copy.next!) is missing")
        // A page of the wrong timeline.
        files[first] = files[copy]
        var wrong = WALRecordReader(timeline: 1, from: fork, segmentSize: recording.segmentSize)
        for piece in files[copy]! { wrong.take(unsafe piece.bytes.span.bytes, at: piece.position) { _ in } }
        #expect(wrong.flaw?.kind == .timeline)
    }

    /// Some kilobytes of one segment.
    private func short(_ version: String) throws -> (bytes: [UInt8], position: LSN, reader: WALRecordReader) {
        let recording = try Recording(version), session = "70-shutdown-streaming"
        let start = LSN(recording.meta.streams[session]!.start_lsn)!
        return (try recording.wal(session), start, recording.reader(session))
    }

    @Test("gives the same in pieces", arguments: ["9.4", "18"])
    func pieces(_ version: String) throws {
        let (bytes, position, reader) = try short(version)
        let whole = Reading(bytes, at: position, by: reader)
        #expect(whole.isComplete && whole.flaw == nil && whole.records.count > 5)
        for cut in bytes.indices {
            #expect(Reading(bytes, at: position, by: reader, cutAt: [cut]) == whole)
        }
        #expect(Reading(bytes, at: position, by: reader, cutAt: Array(bytes.indices)) == whole)
    }

    @Test("that ends too early lacks something", arguments: ["9.4", "18"])
    func truncated(_ version: String) throws {
        let (bytes, position, reader) = try short(version)
        let last = try #require(Reading(bytes, at: position, by: reader).records.last)
        // Without the filler behind it the last record is whole.
        for count in 0..<Int(last.position.rawValue - position.rawValue) + last.totalLength {
            let part = Reading(Array(bytes[..<count]), at: position, by: reader)
            #expect(!part.isComplete && part.flaw?.kind == .missing, "\(count)")
            #expect(part.records.allSatisfy { $0.end.rawValue <= position.rawValue + UInt64(count + 7) })
        }
    }

    @Test("shows every byte that is changed", arguments: ["9.3", "9.4", "9.5", "13", "18", "19"])
    func damaged(_ version: String) throws {
        let (bytes, position, reader) = try short(version)
        let whole = Reading(bytes, at: position, by: reader)
        // The fillers of headers, the length of a record that does not go on here, and what follows a record up to the next
        // one mean nothing.
        var meaningless = Set(16..<24)
        // A flag of pages that no server reads.
        meaningless.insert(2)
        // A later version may have any higher number.
        if version == "19" { meaningless.insert(0) }
        for record in whole.records {
            let begin = Int(record.position.rawValue - position.rawValue)
            meaningless.formUnion(begin + record.totalLength..<(begin + record.totalLength + 7) / 8 * 8)
            // The filler at the end of a header.
            if version == "9.3" || version == "9.4" { meaningless.formUnion(begin + 28..<begin + 32) }
        }
        var unseen: Set<Int> = []
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1 << UInt8(index % 8)
            let found = Reading(changed, at: position, by: reader)
            // A record that became too long goes on behind the range.
            if found.flaw == nil, found.cut == nil { unseen.insert(index) }
            #expect(whole.records.starts(with: found.records), "\(index)")
        }
        #expect(unseen == meaningless.intersection(bytes.indices))
    }

    @Test("ends with zeros where nothing was written", arguments: ["9.3", "18"])
    func zeros(_ version: String) throws {
        let (bytes, position, reader) = try short(version)
        let end = LSN(rawValue: position.rawValue + UInt64(bytes.count))
        let endless = WALRecordReader(timeline: 1, from: position, segmentSize: .default)
        let found = Reading(bytes + .zeros(8192), at: position, by: endless)
        #expect(found.flaw?.kind == .zeros && found.flaw?.position == end && found.next == end)
        #expect(found.flaw?.message.hasPrefix("invalid record length at \(end): expected at least ") == true)
        #expect(found.records.count == Reading(bytes, at: position, by: reader).records.count)
        let nothing = Reading(.zeros(8192), at: position, by: endless)
        #expect(nothing.flaw?.kind == .zeros && nothing.flaw?.position == position)
    }

    @Test("of another cluster, segment size or server is refused")
    func others() throws {
        let (bytes, position, _) = try short("18")
        func flaw(_ reader: WALRecordReader) -> WALFlaw.Kind? { Reading(bytes, at: position, by: reader).flaw?.kind }
        #expect(
            flaw(WALRecordReader(timeline: 1, from: position, segmentSize: .default, systemIdentifier: "1")) == .system)
        #expect(
            flaw(WALRecordReader(timeline: 1, from: position, segmentSize: WALSegmentSize(bytes: 1 << 20)!))
                == .segmentSize)
        #expect(
            flaw(WALRecordReader(timeline: 1, from: position, segmentSize: .default, pageSize: 16384)) == .pageSize)
        var old = bytes
        old[0] = 0x71
        old[1] = 0xD0
        let reader = WALRecordReader(timeline: 1, from: position, segmentSize: .default)
        #expect(Reading(old, at: position, by: reader).flaw?.kind == .version)
    }

    @Test("that begins or ends within a record is refused")
    func bounds() throws {
        let (bytes, position, _) = try short("18")
        let all = Reading(bytes, at: position, by: WALRecordReader(timeline: 1, from: position, segmentSize: .default))
        let second = all.records[1], third = all.records[2]
        func reader(from start: LSN, upTo end: LSN, _ startsAtRecord: Bool = true) -> Reading {
            Reading(
                bytes, at: position,
                by: WALRecordReader(
                    timeline: 1, from: start, upTo: end, segmentSize: .default, startsAtRecord: startsAtRecord))
        }
        let right = reader(from: second.position, upTo: third.end)
        #expect(right.isComplete && right.records == [second, third])
        let within = LSN(rawValue: second.position.rawValue + 8)
        #expect(reader(from: within, upTo: third.end).flaw?.kind == .start)
        #expect(reader(from: within, upTo: third.end, false).records == [third])
        let cut = reader(from: second.position, upTo: LSN(rawValue: third.position.rawValue + 8))
        #expect(cut.isComplete && cut.records == [second] && cut.cut == third.position)
        let range = WALRange(timeline: 1, start: second.position, end: LSN(rawValue: third.position.rawValue + 8))
        var verifier = WALVerifier([range], segmentSize: .default)
        let segment = verifier.request!.segments[0]
        verifier.take(bytes.raw, at: position) { _ in }
        verifier.finishSegment(segment) { _ in }
        #expect(verifier.flaws.map(\.kind) == [.end] && verifier.flaws[0].position == third.position)
        #expect(verifier.request == nil)
    }
}
