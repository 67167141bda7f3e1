import UnderstudyCompression
import UnderstudyMemoryDestinationExample
import UnderstudyStreaming
import UnderstudyTestKit
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

extension Compression {
    static let each: [Compression] = [.none, .gzip(), .lz4(), .zstd()]
    static let compressed: [Compression] = [.gzip(), .lz4(), .zstd()]
}

/// A directory of WAL for the conformance suite.
struct DirectoryStore: WALTestStore {
    let archive: TestArchive
    let compression: Compression
    var sync = true
    /// What can be filled, if the directory is on a file system of its own.
    var fileSystem: MountedFileSystem?

    func start() -> any WALDestination { WALDirectory(archive.path, compression: compression, sync: sync) }

    func content(of segment: WALSegment) throws -> [UInt8]? {
        let name = segment.name + compression.method.fileSuffix
        return try archive.content(name) ?? archive.content(name + ".partial")
    }

    func history(of timeline: TimelineID) throws -> [UInt8]? {
        try archive.content(timeline.historyFileName + compression.method.fileSuffix)
    }

    func setFull(_ isFull: Bool) throws -> Bool {
        guard let fileSystem else { return false }
        if isFull { try fileSystem.fillUp() } else { try fileSystem.freeUp() }
        return true
    }
}

/// The example's destination, which has its store in itself.
struct MemoryStore: WALTestStore {
    let destination = MemoryDestination()

    func start() -> any WALDestination { destination }
    func content(of segment: WALSegment) -> [UInt8]? { destination.content(of: segment) }
    func history(of timeline: TimelineID) -> [UInt8]? { destination.history(of: timeline) }
}
