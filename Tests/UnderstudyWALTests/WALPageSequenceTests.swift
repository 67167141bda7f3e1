import Testing
import UnderstudyTestSupport

@testable import UnderstudyWAL

@Suite("The pages of a segment")
struct WALPageSequenceTests {
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

    private func extent(
        _ bytes: [UInt8], of segment: WALSegmentName = segment, step: Int = 1 << 16
    ) throws -> WALPageSequence.Extent {
        var pages = WALPageSequence(segment, try #require(WALPageHeader(Array(bytes.prefix(40)))))
        for start in stride(from: 0, to: bytes.count, by: step) {
            guard pages.take(Array(bytes[start..<min(bytes.count, start + step)])) else { break }
        }
        return pages.extent
    }

    @Test("are whole if each has the header of its place, in pieces of any size", arguments: [8192, 1 << 16, 1 << 20])
    func whole(step: Int) throws {
        #expect(try extent(sample(), step: step) == .whole)
        #expect(try extent(sample(upTo: 65536), step: step) == .incomplete(at: 65536))
        #expect(try extent(Array(sample().prefix(65536)), step: step) == .incomplete(at: 65536))
    }

    @Test("are damaged if one byte of a header is another", arguments: [0, 8192, 65536])
    func damaged(page: Int) throws {
        let sound = sample()
        for byte in 0..<16 {
            var bytes = sound
            bytes[page + byte] ^= 0x40
            // The first page's magic number and flags make it a header, or not.
            guard WALPageHeader(Array(bytes.prefix(40))) != nil else { continue }
            guard case .damaged(let offset, _) = try extent(bytes, step: 8192) else {
                Issue.record("byte \(byte) of page \(page)")
                continue
            }
            // With another magic number in the first page, all others differ from it.
            #expect(offset == page || page == 0)
        }
    }

    @Test("are damaged where something follows the end of a page without a header")
    func headless() throws {
        var bytes = sample()
        for index in 0..<24 { bytes[65536 + index] = 0 }
        #expect(try extent(bytes) == .damaged(at: 65536, reason: "has no header"))
    }

    @Test("end where the pages of a recycled file follow")
    func recycled() throws {
        var bytes = sample()
        for page in stride(from: 65536, to: Self.size, by: 8192) { put(0x100000 + UInt64(page), &bytes, page + 8) }
        #expect(try extent(bytes) == .incomplete(at: 65536))
        bytes = sample(upTo: 65536)
        bytes[Self.size - 1] = 1
        #expect(try extent(bytes) == .incomplete(at: 65536))
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
            let found = try extent(file, of: name)
            if segment.complete {
                #expect(found == .whole, "\(segment.name)")
            } else {
                guard case .incomplete(let end) = found else {
                    Issue.record("\(segment.name): \(found)")
                    continue
                }
                #expect(end >= segment.bytes && end < segment.bytes + 8192, "\(segment.name)")
            }
        }
    }
}
