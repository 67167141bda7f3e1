import Testing
import UnderstudyCompression
import UnderstudyStreaming
import UnderstudyTestKit
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

/// What the archiver relies on, and what a directory promises beyond that.
@Suite("A destination of WAL")
struct WALDestinationConformanceTests {
    @Test("in a directory keeps every promise", arguments: Compression.each, [true, false])
    func directory(_ compression: Compression, _ sync: Bool) {
        let suite = WALDestinationSuite {
            let archive = try TestArchive(TestDirectory.makeOnDisk("archive"))
            return DirectoryStore(archive: archive, compression: compression, sync: sync)
        }
        #expect(suite.violations() == [])
    }

    @Test(
        "in a directory keeps them on a disk that is full now and then, too", .enabled(if: MountedFileSystem.isAllowed),
        arguments: Compression.each)
    func fullDirectory(_ compression: Compression) {
        let suite = WALDestinationSuite {
            let fileSystem = try MountedFileSystem(.small(bytes: 8 << 20))
            return DirectoryStore(
                archive: try TestArchive(fileSystem.path), compression: compression, fileSystem: fileSystem)
        }
        #expect(suite.violations() == [])
    }

    /// The example says that it suits a server that is never promoted.
    @Test("in memory, as the article shows it, keeps the promises that it makes")
    func memory() {
        let suite = WALDestinationSuite { MemoryStore() }
        #expect(suite.violations(of: WALDestinationRule.allCases.filter { $0 != .setsAsideAfterFork }) == [])
    }

    @Test("in a directory acknowledges all that was written", arguments: Compression.each)
    func acknowledgement(_ compression: Compression) throws {
        let archive = try TestArchive(), directory = WALDirectory(archive.path, compression: compression)
        _ = try directory.open(TestArchive.origin())
        for number: UInt64 in 3...4 {
            let segment = segment(number), content = [UInt8].wal(of: segment)
            try directory.begin(segment)
            #expect(try directory.sync() == segment.start)
            var written = 0
            for end in [1, 8192, 8193, 300_000, content.count] {
                try directory.writeInPieces(content, written..<end)
                written = end
                #expect(try directory.sync() == LSN(rawValue: segment.start.rawValue + UInt64(end)))
            }
            try directory.finish(segment)
            #expect(try directory.sync() == segment.end)
        }
        directory.close()
    }
}
