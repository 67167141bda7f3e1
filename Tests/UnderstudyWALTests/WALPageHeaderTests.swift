import Testing
import UnderstudyTestSupport
import UnderstudyWAL

@Suite("The first page of a WAL segment")
struct WALPageHeaderTests {
    @Test("of each server version tells whose it is, how long and where", arguments: Recording.versions)
    func recorded(_ version: String) throws {
        let recording = try Recording(version)
        for session in ["31-start-replication", "43-start-replication-tli1", "44-start-replication-tli2"] {
            let facts = try #require(recording.meta.streams[session])
            let size = UInt64(recording.meta.segment_size)
            var found: [LSN] = []
            for message in try recording.copyData(session) where message.first == UInt8(ascii: "w") {
                let position = message.dropFirst().prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
                let header = WALPageHeader(Array(message.dropFirst(25)))
                // No other page than the first of a segment has these fields.
                guard position % size == 0 else {
                    #expect(header == nil)
                    continue
                }
                found.append(LSN(rawValue: position))
                #expect(header?.systemIdentifier == recording.meta.system_identifier)
                #expect(header?.segmentSize == size)
                #expect(header?.address == LSN(rawValue: position))
            }
            #expect(found.count == facts.segments.count && found.first == LSN(facts.start_lsn))
        }
    }

    /// The first bytes of a segment that a server of 18 streamed.
    private func page(_ count: Int) throws -> [UInt8] {
        let message = try #require(
            try Recording("18").copyData("31-start-replication").first { $0.first == UInt8(ascii: "w") })
        return Array(message.dropFirst(25).prefix(count))
    }

    @Test("is read from its first bytes, and not from fewer")
    func truncated() throws {
        let wal = try page(100)
        let header = try #require(WALPageHeader(wal))
        for length in 0...100 {
            #expect(WALPageHeader(Array(wal[..<length])) == (length < WALPageHeader.byteCount ? nil : header))
        }
    }

    @Test("is told apart from anything else")
    func others() throws {
        let wal = try page(40)
        #expect(WALPageHeader([UInt8](repeating: 0, count: 8192)) == nil)
        #expect(WALPageHeader([UInt8](repeating: 0xFF, count: 8192)) == nil)
        // The magic number of a machine with another byte order.
        #expect(WALPageHeader([wal[1], wal[0]] + wal[2...]) == nil)
        // A page that is not the first one of its segment.
        #expect(WALPageHeader(wal[..<2] + [wal[2] & ~2] + wal[3...]) == nil)
        // gzip, LZ4 and Zstandard.
        for magic in [[0x1F, 0x8B, 8, 0], [4, 0x22, 0x4D, 0x18], [0x28, 0xB5, 0x2F, 0xFD]] as [[UInt8]] {
            #expect(WALPageHeader(magic + wal[4...]) == nil)
        }
    }
}
