import Testing
import UnderstudyTestSupport

@testable import UnderstudyWAL

@Suite("The pages of a segment")
struct SegmentExtentTests {
    private static let size = 1 << 20
    private static let segment = WALSegmentName(timeline: 2, number: 3, size: WALSegmentSize(bytes: 1 << 20)!)!

    /// Pages with valid headers, and bytes behind them.
    private func sample(upTo end: Int = size) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.size)
        for page in stride(from: 0, to: end, by: 8192) {
            put(0xD116 as UInt16, &bytes, page)
            put((page == 0 ? 2 : 0) as UInt16, &bytes, page + 2)
            put((page < 16384 ? 1 : 2) as UInt32, &bytes, page + 4)
            put(0x300000 + UInt64(page), &bytes, page + 8)
            bytes[page + 100] = 7
        }
        put(UInt32(Self.size), &bytes, 32)
        put(8192 as UInt32, &bytes, 36)
        return bytes
    }

    private func put<Number: FixedWidthInteger>(_ number: Number, _ bytes: inout [UInt8], _ offset: Int) {
        for index in 0..<Number.bitWidth / 8 {
            bytes[offset + index] = UInt8(truncatingIfNeeded: number >> Number(8 * index))
        }
    }

    private func extent(_ bytes: [UInt8], of segment: WALSegmentName = segment) -> SegmentCheck.Extent {
        var check = SegmentCheck(ArchivedSegment(segment: segment, isPartial: false), origin: nil, history: nil)
        for start in stride(from: 0, to: bytes.count, by: SegmentCheck.blockSize) {
            check.take(Array(bytes[start..<min(bytes.count, start + SegmentCheck.blockSize)]).raw)
        }
        return check.extent
    }

    @Test("are whole if each has the header of its place")
    func whole() {
        #expect(extent(sample()) == .whole)
        #expect(extent(sample(upTo: 65536)) == .beginning(upTo: 65536))
        #expect(extent(Array(sample().prefix(65536))) == .beginning(upTo: 65536))
    }

    @Test("are damaged if one byte of a header is another", arguments: [0, 8192, 65536])
    func damaged(page: Int) {
        let sound = sample()
        for byte in 0..<16 {
            var bytes = sound
            bytes[page + byte] ^= 0x40
            guard case .damaged(let flaw) = extent(bytes) else {
                Issue.record("byte \(byte) of page \(page)")
                continue
            }
            // With another magic number in the first page, all others differ from it.
            #expect((page..<page + 24).contains(flaw.offset) || page == 0)
        }
    }

    @Test("are damaged where something follows the end of a page without a header")
    func headless() {
        var bytes = sample()
        for index in 0..<24 { bytes[65536 + index] = 0 }
        guard case .damaged(let flaw) = extent(bytes) else {
            Issue.record("a page without a header")
            return
        }
        #expect(flaw.offset == 65536)
    }

    @Test("end where the pages of a recycled file follow")
    func recycled() {
        var bytes = sample()
        for page in stride(from: 65536, to: Self.size, by: 8192) { put(0x100000 + UInt64(page), &bytes, page + 8) }
        #expect(extent(bytes) == .beginning(upTo: 65536))
        bytes = sample(upTo: 65536)
        bytes[Self.size - 1] = 1
        #expect(extent(bytes) == .beginning(upTo: 65536))
    }

    @Test("are those of a server of any version", arguments: Recording.versions)
    func recorded(_ version: String) throws {
        let recording = try Recording(version)
        let size = try #require(WALSegmentSize(bytes: UInt64(recording.meta.segment_size)))
        let facts = try #require(recording.meta.streams["31-start-replication"])
        let wal = try recording.wal("31-start-replication")
        for (index, segment) in facts.segments.enumerated() {
            let start = index * recording.meta.segment_size
            let file =
                Array(wal[start..<start + segment.bytes])
                + [UInt8](repeating: 0, count: recording.meta.segment_size - segment.bytes)
            let name = try #require(WALSegmentName(segment.name.prefix(24), size: size))
            let found = extent(file, of: name)
            if segment.complete {
                #expect(found == .whole, "\(segment.name)")
            } else {
                guard case .beginning(let end) = found else {
                    Issue.record("\(segment.name): \(found)")
                    continue
                }
                #expect(end >= segment.bytes && end < segment.bytes + 8192, "\(segment.name)")
            }
        }
    }
}
