import Testing
import UnderstudyCompression
import UnderstudyStreaming
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

/// Where a timeline ends within segment 3, at offset 0x50000, whatever is acknowledged of it can be found: in the file of the
/// youngest timeline, which a restore takes.
@Suite("A WAL directory in which timelines part")
struct WALDirectoryForkTests {
    let archive: TestArchive
    private let fork = 0x50000
    private let old = [UInt8].wal(of: segment(3)), new = [UInt8].wal(of: segment(3))
    private var origin: WALOrigin { TestArchive.origin(timeline: 2, forks: [1: 0x350000]) }

    init() throws { archive = try TestArchive() }

    private func name(_ timeline: UInt32, _ compression: Compression, _ suffix: String = ".partial") -> String {
        file(3, "\(compression.method.fileSuffix)\(suffix)", timeline: timeline)
    }

    private func expectHeld(
        _ bytes: ArraySlice<UInt8>, _ name: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        #expect(Array(bytes).isHeld(in: try archive.content(name)), sourceLocation: sourceLocation)
    }

    // MARK: - The file of the next timeline

    @Test(
        "does not show a segment of the next timeline before it holds as much", arguments: Compression.each,
        [true, false])
    func heldBack(_ compression: Compression, _ sync: Bool) throws {
        var directory: WALDirectory? = WALDirectory(archive.path, compression: compression, sync: sync)
        func begin() throws {
            _ = try directory!.open(origin)
            try directory!.begin(segment(3))
            try directory!.write(old, 0..<fork)
            _ = try directory!.sync()
            try directory!.suspend()
            try directory!.putHistory(TimelineID(rawValue: 2), TestArchive.history([1: 0x350000]))
            try directory!.begin(segment(3, timeline: 2))
        }
        let visible = { archive.names.filter { !$0.hasPrefix(".") && !$0.contains("history") } }
        try begin()
        for end in [1, 100_000, fork - 1] {
            try directory!.write(new, (end == 1 ? 0 : end == 100_000 ? 1 : 100_000)..<end)
            _ = try directory!.sync()
            #expect(visible() == [name(1, compression)])
        }
        // As a kill leaves it.
        directory = nil
        try expectHeld(old[..<fork], name(1, compression))
        directory = WALDirectory(archive.path, compression: compression, sync: sync)
        #expect(try directory!.open(origin).next == position(1, 0x300000))

        // As the end of a connection leaves it.
        try begin()
        try directory!.write(new, 0..<100_000)
        try directory!.suspend()
        directory!.close()
        #expect(visible() == [name(1, compression)])

        try begin()
        try directory!.write(new, 0..<fork)
        _ = try directory!.sync()
        #expect(visible() == [name(1, compression), name(2, compression)])
        try expectHeld(new[..<fork], name(2, compression))
        try directory!.write(new, fork..<400_000)
        _ = try directory!.sync()
        try directory!.write(new, 400_000..<1 << 20)
        try directory!.finish(segment(3, timeline: 2))
        _ = try directory!.sync()
        #expect(visible() == [name(1, compression), name(2, compression, "")])
        try directory!.store(segment(4, timeline: 2))
        directory!.close()
        #expect(new.isSame(as: try archive.content(name(2, compression, ""))))
    }

    @Test("shows one at once that is finished at once", arguments: Compression.each)
    func finished(_ compression: Compression) throws {
        let directory = WALDirectory(archive.path, compression: compression)
        try archive.putSegment(name(1, compression), upTo: fork)
        _ = try directory.open(origin)
        try directory.putHistory(TimelineID(rawValue: 2), TestArchive.history([1: 0x350000]))
        try directory.store(segment(3, timeline: 2))
        _ = try directory.sync()
        directory.close()
        #expect(archive.names.contains(name(2, compression, "")))
    }

    // MARK: - WAL behind the fork

    /// Files that a kill may leave, and what is set aside then.
    @Test(
        "keeps what is before the fork under its name, at whatever moment it was killed",
        arguments: Compression.each, ["", ".partial"])
    func divided(_ compression: Compression, _ suffix: String) throws {
        let original = name(1, compression, suffix)
        if suffix == "" { try archive.putSegment(original) } else { try archive.putSegment(original, upTo: 600_000) }
        let bytes = try archive.bytes(original)
        for state in 0..<3 {
            switch state {
            case 0: break
            case 1:
                // Killed before the first name was changed.
                try archive.put(".understudy-fork", [1, 2, 3])
                try archive.put(".understudy-aside", [4, 5, 6])
                try archive.put(original, bytes)
            default:
                // Killed before the last one was.
                try archive.put(original, bytes)
            }
            let holdings = try WALDirectory(archive.path).open(origin)
            #expect(holdings.next == position(1, 0x300000))
            #expect(holdings.end == position(1, 0x300000 + UInt64(fork)))
            #expect(holdings.divergence?.fork == position(1, 0x350000))
            #expect(archive.names == [name(1, compression), "diverged"])
            try expectHeld(old[..<fork], name(1, compression))
            let aside = try #require(holdings.divergence?.names.first)
            #expect(aside.hasPrefix("diverged/\(original)."))
            #expect(try archive.bytes(aside) == bytes)
        }
    }

    @Test(
        "stops at no moment at which less is held, when room runs out",
        .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
    func noRoom() throws {
        let fileSystem = try MountedFileSystem(.small(bytes: 5 << 19))
        let archive = try TestArchive(fileSystem.path)
        try archive.putSegment(file(3, ".partial"), upTo: 600_000)
        let before = FileTree.snapshot(archive.path)
        let error = try #require(throws: WALDestinationError.self) {
            _ = try WALDirectory(archive.path).open(origin)
        }
        #expect(error.isTemporary && error.message.contains("No space left on device"), "\(error)")
        #expect(FileTree.snapshot(archive.path) == before)
    }
}
