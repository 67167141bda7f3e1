import Testing
import UnderstudyMemoryDestinationExample
import UnderstudyStreaming
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

/// A kind of destination that the conformance suite runs over.
enum DestinationKind: Sendable, CustomTestStringConvertible {
    case memory
    case directory(WALCompression, sync: Bool)

    static let all: [DestinationKind] =
        [.memory] + WALCompression.each.flatMap { [.directory($0, sync: true), .directory($0, sync: false)] }

    var testDescription: String {
        switch self {
        case .memory: "memory"
        case .directory(let compression, let sync): "directory, \(compression), \(sync ? "sync" : "no sync")"
        }
    }

    /// Whether all that was written survives a crash after a sync.
    var isDurable: Bool {
        switch self {
        case .memory: true
        case .directory(_, let sync): sync
        }
    }

    func make() throws -> TestedDestination {
        switch self {
        case .memory: .memory(MemoryDestination())
        case .directory(let compression, let sync):
            .directory(try TestArchive(), compression, sync: sync)
        }
    }
}

extension WALCompression {
    static let each: [WALCompression] = [.none, .gzip(), .lz4(), .zstd()]
    static let compressed: [WALCompression] = [.gzip(), .lz4(), .zstd()]
}

/// A destination, and a way to see what it holds.
enum TestedDestination {
    case memory(MemoryDestination)
    case directory(TestArchive, WALCompression, sync: Bool)

    /// The destination as a program that has just been started makes it.
    func start() -> any WALDestination {
        switch self {
        case .memory(let destination): destination
        case .directory(let archive, let compression, let sync):
            WALDirectory(archive.path, compression: compression, sync: sync)
        }
    }

    /// What is held of a segment, whole or not.
    func content(of segment: WALSegment) throws -> [UInt8]? {
        switch self {
        case .memory(let destination): return destination.content(of: segment)
        case .directory(let archive, let compression, _):
            let name = segment.name + compression.kind.rawValue
            return try archive.content(name) ?? archive.content(name + ".partial")
        }
    }

    func history(of timeline: TimelineID) throws -> [UInt8]? {
        switch self {
        case .memory(let destination): destination.history(of: timeline)
        case .directory(let archive, let compression, _):
            try archive.content(timeline.historyFileName + compression.kind.rawValue)
        }
    }
}
