import Testing
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyBackup

/// A WAL directory as a backup makes it, and a WAL with segments of 1 MB.
struct BackupWAL {
    let directory: ConfinedDirectory
    let size = WALSegmentSize(bytes: 1 << 20)!

    init(_ path: String? = nil) throws {
        directory = try ConfinedDirectory(path: path ?? TestDirectory.make("wal"))
        try directory.makeDirectory("archive_status", mode: 0o700)
    }

    func destination(fileMode: UInt16 = 0o600, syncs: Bool = true) -> BackupWALDirectory {
        BackupWALDirectory(directory: directory, fileMode: fileMode, syncs: syncs)
    }

    func name(_ number: UInt64, timeline: UInt32 = 1) -> WALSegmentName {
        WALSegmentName(timeline: TimelineID(rawValue: timeline), number: number, size: size)!
    }

    func segment(_ number: UInt64, timeline: UInt32 = 1) -> WALSegment {
        WALSegment(name(number, timeline: timeline))
    }

    var names: [String] { FileTree.names(directory.path) }
    var done: [String] { FileTree.names("\(directory.path)/archive_status") }

    func content(_ name: String) throws -> [UInt8] {
        try directory.read(RelativePath(name), atMost: 4 << 20)
    }
}

@Suite("WAL segment files of a backup")
struct BackupWALDirectoryTests {
    private let wal: BackupWAL

    init() throws {
        wal = try BackupWAL()
    }

    @Test("are whole from their first byte on, zeros behind what has arrived", arguments: [true, false])
    func zeros(_ syncs: Bool) throws {
        let files = wal.destination(fileMode: 0o640, syncs: syncs)
        #expect(
            files.open(WALOrigin(systemIdentifier: "1", segmentSize: 1 << 20, timeline: TimelineID(rawValue: 1)))
                == WALHoldings())
        try files.begin(wal.segment(3))
        try files.write([UInt8].wal(5000).raw, at: 0)
        try files.write([UInt8].wal(3, from: 5000).raw, at: 5000)
        _ = try files.sync()
        let content = try wal.content("000000010000000000000003")
        #expect(content == .wal(5003) + [UInt8](repeating: 0, count: (1 << 20) - 5003))
        #expect(try wal.directory.sizeAndMode(of: "000000010000000000000003").mode == 0o640)
        #expect(wal.done == [])
    }

    @Test("are synced up to the last byte received, or count as held when they are written")
    func synced() throws {
        let files = wal.destination()
        #expect(try files.sync() == nil)
        try files.begin(wal.segment(3))
        try files.write([UInt8].wal(10).raw, at: 0)
        #expect(try files.sync() == LSN(rawValue: 0x30000A))
        #expect(try files.sync() == LSN(rawValue: 0x30000A))
        try files.finish(wal.segment(3))
        try files.begin(wal.segment(4))
        #expect(try files.sync() == LSN(rawValue: 0x30000A))
        try files.write([UInt8].wal(1).raw, at: 0)
        try files.suspend()
        #expect(try files.sync() == LSN(rawValue: 0x400001))

        let lazy = wal.destination(syncs: false)
        try lazy.begin(wal.segment(5))
        try lazy.write([UInt8].wal(10).raw, at: 0)
        #expect(try lazy.sync() == LSN(rawValue: 0x50000A))
    }

    @Test(
        "are zeros behind what has arrived where space cannot be preallocated",
        .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
    func filled() throws {
        let fileSystem = try MountedFileSystem(.ram)
        let wal = try BackupWAL(fileSystem.path)
        let files = wal.destination()
        try files.begin(wal.segment(3))
        try files.write([UInt8].wal(100).raw, at: 0)
        try files.suspend()
        #expect(
            try wal.content("000000010000000000000003") == .wal(100) + [UInt8](repeating: 0, count: (1 << 20) - 100))
    }

    @Test("are marked as archived once they are full, and only then")
    func done() throws {
        let files = wal.destination()
        let half = 1 << 19
        try files.begin(wal.segment(0xFF))
        try files.write([UInt8].wal(half).raw, at: 0)
        #expect(wal.done == [])
        try files.write([UInt8].wal(half, from: half).raw, at: half)
        #expect(wal.done == [])
        try files.finish(wal.segment(0xFF))
        #expect(wal.done == ["0000000100000000000000FF.done"])
        try files.begin(wal.segment(0x1000))
        try files.write([UInt8].wal(10).raw, at: 0)
        try files.suspend()
        #expect(wal.done == ["0000000100000000000000FF.done"])
        #expect(wal.names == ["0000000100000000000000FF", "000000010000000100000000", "archive_status"])
        #expect(try wal.content("0000000100000000000000FF") == .wal(1 << 20))
    }

    @Test("of another timeline have files of their own")
    func timelines() throws {
        let files = wal.destination()
        try files.begin(wal.segment(3))
        try files.write([UInt8].wal(10).raw, at: 0)
        try files.suspend()
        try files.begin(wal.segment(3, timeline: 2))
        try files.write([UInt8].wal(20).raw, at: 0)
        try files.suspend()
        #expect(wal.names == ["000000010000000000000003", "000000020000000000000003", "archive_status"])
        #expect(Array(try wal.content("000000010000000000000003").prefix(11)) == .wal(10) + [0])
        #expect(Array(try wal.content("000000020000000000000003").prefix(21)) == .wal(20) + [0])
    }

    @Test("never take the place of a file that is there")
    func exclusive() throws {
        try TestDirectory.write("precious", to: "\(wal.directory.path)/000000010000000000000003")
        let files = wal.destination()
        let error = #expect(throws: WALDestinationError.self) { try files.begin(wal.segment(3)) }
        #expect(error?.isTemporary == false)
        #expect(try FileTree.text("\(wal.directory.path)/000000010000000000000003") == "precious")
    }

    @Test("of histories have the bytes that the server sent, and are marked as archived", arguments: [true, false])
    func history(_ syncs: Bool) throws {
        let files = wal.destination(syncs: syncs)
        let text = Array("1\t0/D0AF210\tno recovery target specified\n".utf8)
        try files.putHistory(TimelineID(rawValue: 2), text)
        _ = try files.sync()
        #expect(wal.names == ["00000002.history", "archive_status"])
        #expect(try wal.content("00000002.history") == text)
        #expect(wal.done == ["00000002.history.done"])
    }

    @Test(
        "that do not fit say so before they hold a byte, and are not waited for",
        .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
    func noSpace() throws {
        let fileSystem = try MountedFileSystem(.small(bytes: 256 << 10))
        let wal = try BackupWAL(fileSystem.path)
        let files = wal.destination()
        let error = #expect(throws: WALDestinationError.self) { try files.begin(wal.segment(3)) }
        #expect(error?.file?.isNoSpace == true && error?.isTemporary == false)
        #expect(error?.file?.path == "\(fileSystem.path)/000000010000000000000003")
    }
}
