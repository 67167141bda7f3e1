import Testing
import UnderstudyFileIO
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyReceiver

extension [UInt8] {
    /// The elements as bytes, for as long as the array is borrowed.
    var raw: RawSpan {
        @_lifetime(borrow self)
        borrowing get {
            // A UInt8 has no padding.
            unsafe span.bytes
        }
    }

    /// Bytes of a WAL that has no two equal stretches.
    static func wal(_ count: Int, from start: Int = 0) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        for index in 0..<count {
            let place = start + index
            bytes[index] = UInt8(truncatingIfNeeded: place ^ (place >> 8) ^ (place >> 16) &+ 1)
        }
        return bytes
    }
}

/// A WAL directory as a backup makes it, and a WAL with segments of 1 MB.
private struct WALDirectory {
    let directory: ConfinedDirectory
    let size = WALSegmentSize(bytes: 1 << 20)!

    init(_ path: String? = nil) throws {
        directory = try ConfinedDirectory(path: path ?? TestDirectory.make("wal"))
        try directory.makeDirectory("archive_status", mode: 0o700)
    }

    func segment(_ number: UInt64, timeline: UInt32 = 1) -> WALSegmentName {
        WALSegmentName(timeline: TimelineID(rawValue: timeline), number: number, size: size)!
    }

    var names: [String] { FileTree.names(directory.path) }
    var done: [String] { FileTree.names("\(directory.path)/archive_status") }

    func content(_ name: String) throws -> [UInt8] {
        try directory.read(RelativePath(name), atMost: 4 << 20)
    }
}

@Suite("WAL segment files")
struct SegmentFilesTests {
    private let wal: WALDirectory

    init() throws {
        wal = try WALDirectory()
    }

    @Test("are whole from their first byte on, zeros behind what has arrived", arguments: [true, false])
    func zeros(_ syncs: Bool) throws {
        var files = SegmentFiles(directory: wal.directory, fileMode: 0o640, syncs: syncs)
        try files.write([UInt8].wal(5000).raw, segment: wal.segment(3), offset: 0)
        try files.write([UInt8].wal(3, from: 5000).raw, segment: wal.segment(3), offset: 5000)
        try files.sync()
        let content = try wal.content("000000010000000000000003")
        #expect(content == .wal(5003) + [UInt8](repeating: 0, count: (1 << 20) - 5003))
        #expect(try wal.directory.sizeAndMode(of: "000000010000000000000003").mode == 0o640)
        #expect(wal.done == [])
    }

    @Test(
        "are zeros behind what has arrived where space cannot be preallocated",
        .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
    func filled() throws {
        let fileSystem = try MountedFileSystem(.ram)
        let wal = try WALDirectory(fileSystem.path)
        var files = SegmentFiles(directory: wal.directory, fileMode: 0o600, syncs: true)
        try files.write([UInt8].wal(100).raw, segment: wal.segment(3), offset: 0)
        try files.close()
        #expect(
            try wal.content("000000010000000000000003") == .wal(100) + [UInt8](repeating: 0, count: (1 << 20) - 100))
    }

    @Test("are marked as archived once they are full, and only then")
    func done() throws {
        var files = SegmentFiles(directory: wal.directory, fileMode: 0o600, syncs: true)
        let half = 1 << 19
        try files.write([UInt8].wal(half).raw, segment: wal.segment(0xFF), offset: 0)
        #expect(wal.done == [])
        try files.write([UInt8].wal(half, from: half).raw, segment: wal.segment(0xFF), offset: half)
        #expect(wal.done == ["0000000100000000000000FF.done"])
        try files.write([UInt8].wal(10).raw, segment: wal.segment(0x1000), offset: 0)
        try files.close()
        #expect(wal.done == ["0000000100000000000000FF.done"])
        #expect(wal.names == ["0000000100000000000000FF", "000000010000000100000000", "archive_status"])
        #expect(try wal.content("0000000100000000000000FF") == .wal(1 << 20))
    }

    @Test("of another timeline have files of their own")
    func timelines() throws {
        var files = SegmentFiles(directory: wal.directory, fileMode: 0o600, syncs: true)
        try files.write([UInt8].wal(10).raw, segment: wal.segment(3), offset: 0)
        try files.write([UInt8].wal(20).raw, segment: wal.segment(3, timeline: 2), offset: 0)
        try files.close()
        #expect(wal.names == ["000000010000000000000003", "000000020000000000000003", "archive_status"])
        #expect(Array(try wal.content("000000010000000000000003").prefix(11)) == .wal(10) + [0])
        #expect(Array(try wal.content("000000020000000000000003").prefix(21)) == .wal(20) + [0])
    }

    @Test("never take the place of a file that is there")
    func exclusive() throws {
        try TestDirectory.write("precious", to: "\(wal.directory.path)/000000010000000000000003")
        var files = SegmentFiles(directory: wal.directory, fileMode: 0o600, syncs: true)
        #expect(throws: FileIOError.self) {
            try files.write([UInt8].wal(10).raw, segment: wal.segment(3), offset: 0)
        }
        #expect(try FileTree.text("\(wal.directory.path)/000000010000000000000003") == "precious")
    }

    @Test("of histories have the bytes that the server sent, and are marked as archived")
    func history() throws {
        var files = SegmentFiles(directory: wal.directory, fileMode: 0o600, syncs: true)
        let text = Array("1\t0/D0AF210\tno recovery target specified\n".utf8)
        try files.putHistory("00000002.history", text)
        try files.sync()
        #expect(wal.names == ["00000002.history", "archive_status"])
        #expect(try wal.content("00000002.history") == text)
        #expect(wal.done == ["00000002.history.done"])
    }

    @Test(
        "that do not fit say so before they hold a byte",
        .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
    func noSpace() throws {
        let fileSystem = try MountedFileSystem(.small(bytes: 256 << 10))
        let wal = try WALDirectory(fileSystem.path)
        var files = SegmentFiles(directory: wal.directory, fileMode: 0o600, syncs: true)
        let error = #expect(throws: FileIOError.self) {
            try files.write([UInt8].wal(10).raw, segment: wal.segment(3), offset: 0)
        }
        #expect(error?.isNoSpace == true)
        #expect(error?.path == "\(fileSystem.path)/000000010000000000000003")
    }
}

@Suite("The writer of WAL")
struct WALWriterTests {
    /// Sends WAL as the network thread does, in pieces that end with their segments.
    private func send(_ bytes: [UInt8], from start: Int, to writer: WALWriter, _ wal: WALDirectory) throws {
        var done = 0
        while done < bytes.count {
            let place = start + done
            let room = Int(wal.size.bytes) - place % Int(wal.size.bytes)
            let block = try #require(writer.takeBlock(timeout: .seconds(60)))
            let end = min(bytes.count, done + room)
            done += block.append(bytes.raw.extracting(done..<end))
            writer.write(
                .init(block: block, segment: wal.segment(UInt64(place) >> 20), offset: place & (1 << 20 - 1)))
        }
    }

    @Test("writes everything in order, and reports what it has synced", arguments: [true, false])
    func order(_ syncs: Bool) throws {
        let wal = try WALDirectory()
        let writer = WALWriter(directory: wal.directory, fileMode: 0o600, syncs: syncs)
        let thread = writer.start()
        let bytes = [UInt8].wal(5 << 19)
        writer.putHistory("00000002.history", [1, 2, 3])
        // In uneven pieces, more of them than the pool has blocks.
        var start = 0
        for length in [1, 8191, 100_000, 700_000, 5 << 19] {
            let piece = Array(bytes[start..<min(bytes.count, start + length)])
            try send(piece, from: start, to: writer, wal)
            start += piece.count
        }
        #expect(try writer.synced() == .invalid)
        writer.sync(upTo: LSN(rawValue: UInt64(bytes.count)))
        #expect(Interrupt.wait(socket: -1, events: 0, interrupts: [writer.progress], timeout: nil) == .interrupted(0))
        #expect(try writer.synced() == LSN(rawValue: UInt64(bytes.count)))
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
        let wal = try WALDirectory()
        try TestDirectory.write("in the way", to: "\(wal.directory.path)/000000010000000000000001")
        let writer = WALWriter(directory: wal.directory, fileMode: 0o600, syncs: true)
        let thread = writer.start()
        try send(.wal((1 << 20) + 10), from: 0, to: writer, wal)
        writer.sync(upTo: LSN(rawValue: (1 << 20) + 10))
        thread.join()
        #expect(writer.progress.isRaised)
        let error = #expect(throws: FileIOError.self) { try writer.synced() }
        #expect(error?.path == "\(wal.directory.path)/000000010000000000000001")
        #expect(try FileTree.text("\(wal.directory.path)/000000010000000000000001") == "in the way")
    }
}
