import Testing
import UnderstudyTestSupport
import UnderstudyWAL
import UnderstudyWALRecords

@Suite("WAL with all that records may be")
struct BuiltRecordsTests {
    private func read(_ wal: BuiltWAL, upTo end: LSN? = nil, cutAt cuts: [Int] = []) -> Reading {
        let reader = WALRecordReader(
            timeline: TimelineID(rawValue: wal.timeline), from: wal.start, upTo: end, segmentSize: BuiltWAL.size)
        return Reading(wal.bytes, at: wal.start, by: reader, cutAt: cuts)
    }

    @Test("has records of every length at every place of a page", arguments: [false, true])
    func lengths(isBigEndian: Bool) {
        var wal = BuiltWAL(isBigEndian: isBigEndian)
        var wanted: [(LSN, Int)] = []
        for length in 0..<400 {
            let record = wal.record(wal.data(.pattern(length, seed: length)))
            wanted.append((wal.add(record), record.count))
        }
        let long = wal.record(wal.data(.pattern(100_000)))
        wanted.append((wal.add(long), long.count))
        let found = read(wal)
        #expect(found.flaw == nil && found.next == wal.end)
        #expect(found.records.map(\.totalLength) == wanted.map(\.1))
        // A record that begins at a page's start begins behind its header.
        #expect(found.records.map(\.position).dropFirst() == wanted.map(\.0).dropFirst())
        #expect(found.records.last?.dataLength == 100_000)
        #expect(found.records.allSatisfy { $0.transaction == 700 && "\($0.resourceManager)" == "Heap" })
        let cuts = (0..<wal.bytes.count / 997).map { $0 * 997 }
        #expect(read(wal, cutAt: cuts) == found)
    }

    @Test("has images, compressed by what the version has")
    func images() {
        /// A block with an image of 500 bytes, and 9 bytes of data.
        func content(_ wal: BuiltWAL, flags: UInt8, hasHole: Bool) -> [UInt8] {
            var content: [UInt8] = [0, 0x30] + wal.number(9, 2)
            content += wal.number(500, 2) + wal.number(40, 2) + [flags] + (hasHole ? wal.number(80, 2) : [])
            content += [UInt8](repeating: 1, count: 16)
            // A second one of the same relation, without either.
            content += [7, 0x80] + wal.number(0, 2) + [2, 2, 2, 2]
            return content + [253, 1, 1, 252, 2, 2, 2, 2, 255, 3] + .pattern(512)
        }
        let rows: [(magic: UInt16, flags: UInt8, hasHole: Bool, compression: WALRecord.ImageCompression)] = [
            (0xD087, 0x01, false, []), (0xD087, 0x03, true, .pglz), (0xD10D, 0x06, false, .pglz),
            (0xD110, 0x03, false, []), (0xD110, 0x07, true, .pglz), (0xD118, 0x0B, true, .lz4),
            (0xD118, 0x12, false, .zstd),
        ]
        for row in rows {
            var wal = BuiltWAL(magic: row.magic)
            wal.add(wal.record(content(wal, flags: row.flags, hasHole: row.hasHole)))
            let found = read(wal)
            #expect(found.flaw == nil && found.records.first?.compression == row.compression, "\(row)")
            #expect(found.records.first?.imageCount == 1 && found.records.first?.imagesLength == 500)
            #expect(found.records.first?.dataLength == 3)
        }
    }

    @Test("whose headers contradict each other is refused, though its checksum is right")
    func contradictions() {
        let wal = BuiltWAL()
        let block: [UInt8] = [0, 0] + wal.number(0, 2) + [UInt8](repeating: 1, count: 16)
        let rows: [(content: [UInt8], words: String)] = [
            ([255, 4, 1, 2, 3], "record with invalid length"), ([255, 2, 1, 2, 3], "record with invalid length"),
            ([99], "invalid block_id 99"), (block + block, "out-of-order block_id 0"),
            ([0, 0x20] + wal.number(0, 2) + [UInt8](repeating: 1, count: 16), "BKPBLOCK_HAS_DATA set, but no data"),
            ([0, 0] + wal.number(3, 2) + [UInt8](repeating: 1, count: 19), "BKPBLOCK_HAS_DATA not set, but data"),
            ([0, 0x80] + wal.number(0, 2) + [1, 1, 1, 1], "BKPBLOCK_SAME_REL set but no previous rel"),
        ]
        for row in rows {
            var wal = BuiltWAL()
            let position = wal.add(wal.record(row.content))
            let found = read(wal)
            #expect(found.flaw?.kind == .content && found.flaw?.message.hasPrefix(row.words) == true, "\(found)")
            #expect(found.flaw?.position.rawValue == max(position.rawValue, wal.start.rawValue + 40))
        }
    }

    @Test("has resource managers that the version knows")
    func managers() {
        func flaw(_ magic: UInt16, _ manager: UInt8) -> WALFlaw.Kind? {
            var wal = BuiltWAL(magic: magic)
            wal.add(wal.record(wal.data([1]), manager: manager))
            return read(wal).flaw?.kind
        }
        #expect(flaw(0xD087, 19) == nil && flaw(0xD087, 20) == .resourceManager)
        #expect(flaw(0xD10D, 21) == nil && flaw(0xD10D, 200) == .resourceManager)
        #expect(flaw(0xD110, 200) == nil && flaw(0xD118, 22) == .resourceManager && flaw(0xD120, 22) == nil)
        var wal = BuiltWAL()
        wal.add(wal.record(wal.data([1]), manager: 200))
        #expect(read(wal).records.first?.resourceManager.name == "custom200")
    }

    @Test("that a switch ends goes on in the next segment")
    func segmentSwitch() {
        var wal = BuiltWAL()
        wal.add(wal.record(wal.data([1])))
        let position = wal.add(wal.record([], manager: 0, info: 0x40))
        let next = LSN(rawValue: wal.start.rawValue + BuiltWAL.size.bytes)
        let found = read(wal)
        #expect(found.records.last?.isSegmentSwitch == true && found.next == next)
        // Nothing of the rest is read.
        #expect(read(wal, upTo: next).isComplete)
        var following = BuiltWAL(start: next)
        following.previous = position
        following.add(following.record(following.data([2])))
        var reader = WALRecordReader(timeline: 1, from: wal.start, segmentSize: BuiltWAL.size)
        reader.take((wal.bytes + .pattern(1 << 20)).raw.extracting(0..<1 << 20), at: wal.start) { _ in }
        #expect(reader.wanted == next)
        reader.take(following.bytes.raw, at: next) { _ in }
        reader.finish { _ in }
        #expect(reader.flaw == nil && reader.recordCount == 3)
    }

    // MARK: - Records that were given up

    /// The data of the record that replaces another one.
    private func replacement(of position: LSN, in wal: BuiltWAL) -> [UInt8] {
        wal.record(
            wal.data(wal.number(position.rawValue, 8) + wal.number(0, 8)), manager: 0, info: 0xD0, transaction: 0)
    }

    /// A record, and the first pages of one that is given up.
    private func interrupted() -> (wal: BuiltWAL, last: LSN, givenUp: LSN) {
        var wal = BuiltWAL()
        wal.add(wal.record(wal.data([1])))
        let last = wal.previous
        let long = wal.record(wal.data(.pattern(5000)))
        let begin = wal.end
        wal.add(long, limit: 2 * BuiltWAL.pageSize - 24 - wal.bytes.count)
        return (wal, last, begin)
    }

    @Test("has one that replaces a record that was given up")
    func replaced() {
        var (wal, last, givenUp) = interrupted()
        wal.putPageHeader(flags: 8)
        let place = wal.add(replacement(of: givenUp, in: wal))
        wal.add(wal.record(wal.data([2])))
        let found = read(wal)
        #expect(found.flaw == nil && found.records.count == 3 && found.records[1].position == place)
        #expect(found.records[1].previous == last)

        var (other, _, _) = interrupted()
        other.putPageHeader(flags: 8)
        other.add(replacement(of: last, in: other))
        #expect(read(other).flaw?.kind == .overwrite)
        var (none, _, _) = interrupted()
        none.putPageHeader(flags: 8)
        none.add(none.record(none.data([2])))
        #expect(read(none).flaw?.kind == .overwrite)
        var (both, _, _) = interrupted()
        both.putPageHeader(flags: 9, rest: 100)
        both.add(replacement(of: givenUp, in: both))
        #expect(read(both).flaw?.kind == .continuation)
        var (plain, _, _) = interrupted()
        plain.putPageHeader()
        plain.add(plain.record(plain.data([2])))
        #expect(read(plain).flaw?.message == "there is no contrecord flag at 1/200800")
    }

    @Test("goes over a promotion within a record")
    func promotion() {
        let (parent, last, givenUp) = interrupted()
        let fork = parent.end
        var child = parent
        child.timeline = 2
        child.putPageHeader(flags: 8)
        child.add(replacement(of: givenUp, in: child))
        child.add(child.record(child.data([2])))
        let ranges = [
            WALRange(timeline: 1, start: parent.start, end: fork), WALRange(timeline: 2, start: fork, end: child.end),
        ]
        func verify(_ ranges: [WALRange], child: BuiltWAL) -> WALVerifier {
            var verifier = WALVerifier(ranges, segmentSize: BuiltWAL.size)
            while let request = verifier.request {
                let isParent = request.segments.first?.timeline == 1
                verifier.take((isParent ? parent : child).bytes.raw, at: parent.start) { _ in }
                verifier.finishSegment(request.segments[0]) { _ in }
            }
            return verifier
        }
        let sound = verify(ranges, child: child)
        #expect(sound.flaws.isEmpty && sound.recordCount == 3)
        #expect(verify([ranges[0]], child: child).flaws.map(\.kind) == [.end])
        // The child goes on with another record.
        var other = parent
        other.timeline = 2
        other.putPageHeader()
        other.add(other.record(other.data([2])))
        #expect(verify([ranges[0], WALRange(timeline: 2, start: fork, end: other.end)], child: other).flaws.count == 1)
        // It follows another one than the parent's last.
        var stranger = parent
        stranger.timeline = 2
        stranger.previous = LSN(rawValue: last.rawValue - 8)
        stranger.putPageHeader(flags: 8)
        stranger.add(replacement(of: givenUp, in: stranger))
        let strange = verify(
            [ranges[0], WALRange(timeline: 2, start: fork, end: stranger.end)], child: stranger)
        #expect(strange.flaws.map(\.kind) == [.chain])
        // Nothing is known of what is between two ranges.
        let gap = LSN(rawValue: fork.rawValue + 1024)
        #expect(
            verify(
                [
                    WALRange(timeline: 1, start: parent.start, end: givenUp),
                    WALRange(timeline: 2, start: gap, end: gap),
                ], child: child
            )
            .flaws.map(\.kind) == [.missing])
    }

    @Test("of a timeline that begins elsewhere is refused")
    func beginning() {
        var wal = BuiltWAL(timeline: 2)
        for length in 0..<200 { wal.add(wal.record(wal.data(.pattern(length)))) }
        let start = LSN(rawValue: wal.start.rawValue + 2048)
        func flaw(_ beginning: LSN) -> WALFlaw.Kind? {
            let reader = WALRecordReader(
                timeline: 2, from: wal.start, segmentSize: BuiltWAL.size, beginning: beginning)
            return Reading(wal.bytes, at: wal.start, by: reader).flaw?.kind
        }
        #expect(flaw(wal.start) == nil && flaw(start) == .timeline)
    }
}
