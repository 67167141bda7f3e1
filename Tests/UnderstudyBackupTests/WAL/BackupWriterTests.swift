import Testing
import UnderstudyPlatform
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyBackup
@testable import UnderstudyStreaming

@Suite("The writer of WAL, with the directory of a backup")
struct BackupWriterTests {
    /// Sends WAL as the network thread does, in pieces that end with their segments.
    private func send(_ bytes: [UInt8], from start: Int, to writer: WALWriter, _ wal: BackupWAL) throws {
        var done = 0
        while done < bytes.count {
            let place = start + done
            let room = Int(wal.size.bytes) - place % Int(wal.size.bytes)
            let block = try #require(try writer.takeBlock(timeout: .seconds(60)))
            let end = min(bytes.count, done + room)
            done += block.append(bytes.raw.extracting(done..<end))
            writer.write(
                .init(block: block, segment: wal.name(UInt64(place) >> 20), offset: place & (1 << 20 - 1)))
        }
    }

    @Test("writes everything in order, and reports what it has synced", arguments: [true, false])
    func order(_ syncs: Bool) throws {
        let wal = try BackupWAL()
        let writer = WALWriter(destination: wal.destination(syncs: syncs))
        let thread = try writer.start()
        let bytes = [UInt8].wal(5 << 19)
        writer.putHistory(TimelineID(rawValue: 2), [1, 2, 3])
        // In uneven pieces, more of them than the pool has blocks.
        var start = 0
        for length in [1, 8191, 100_000, 700_000, 5 << 19] {
            let piece = Array(bytes[start..<min(bytes.count, start + length)])
            try send(piece, from: start, to: writer, wal)
            start += piece.count
        }
        #expect(writer.report().synced == nil)
        writer.progress.clear()
        writer.sync()
        while writer.report().settled == nil {
            #expect(
                Interrupt.wait(socket: -1, events: 0, interrupts: [writer.progress], timeout: nil) == .interrupted(0))
            writer.progress.clear()
        }
        #expect(writer.report().settled == LSN(rawValue: UInt64(bytes.count)))
        // Without syncing, what is written counts: who asks for that knows.
        #expect(writer.report().synced == LSN(rawValue: UInt64(bytes.count)))
        writer.close()
        thread.join()
        #expect(
            wal.names == [
                "000000010000000000000000", "000000010000000000000001", "000000010000000000000002",
                "00000002.history", "archive_status",
            ])
        let whole = try (0..<3).flatMap { try wal.content("00000001000000000000000\($0)") }
        #expect(whole == bytes + [UInt8](repeating: 0, count: 1 << 19))
        #expect(
            wal.done == ["000000010000000000000000.done", "000000010000000000000001.done", "00000002.history.done"])
    }

    @Test("reports a failure, writes nothing more, and ends")
    func failure() throws {
        let wal = try BackupWAL()
        try TestDirectory.write("in the way", to: "\(wal.directory.path)/000000010000000000000001")
        let writer = WALWriter(destination: wal.destination())
        let thread = try writer.start()
        try send(.wal((1 << 20) + 10), from: 0, to: writer, wal)
        writer.sync()
        thread.join()
        #expect(writer.progress.isRaised)
        let report = writer.report()
        #expect(report.synced == nil && report.settled == nil)
        #expect(report.failure?.file?.path == "\(wal.directory.path)/000000010000000000000001")
        #expect(report.failure?.isTemporary == false)
        #expect(try FileTree.text("\(wal.directory.path)/000000010000000000000001") == "in the way")
    }
}
