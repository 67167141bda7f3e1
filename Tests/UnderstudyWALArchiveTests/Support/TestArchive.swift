import Foundation
import UnderstudyCompression
import UnderstudyStreaming
import UnderstudyTestKit
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

/// A directory for the WAL of a cluster with segments of 1 MB.
struct TestArchive {
    let path: String

    static let sample = SampleWAL()
    static var size: WALSegmentSize { sample.size }
    static var systemIdentifier: String { sample.systemIdentifier }

    init(_ path: String? = nil) throws {
        self.path = try path ?? TestDirectory.make("archive")
    }

    // MARK: - The server

    /// - Parameter forks: Where the timelines before this one ended: `[1: 0x350000]`.
    static func origin(
        timeline: UInt32 = 1, forks: [UInt32: UInt64]? = nil, fileMode: UInt16 = 0o600, relies: Bool = true
    ) -> WALOrigin {
        WALOrigin(
            systemIdentifier: systemIdentifier, segmentSize: Int(size.bytes), timeline: TimelineID(rawValue: timeline),
            history: forks.map(history), fileMode: fileMode, reliesOnAcknowledgement: relies)
    }

    static func history(_ forks: [UInt32: UInt64]) -> [UInt8] {
        SampleWAL.history(
            Dictionary(uniqueKeysWithValues: forks.map { (TimelineID(rawValue: $0), LSN(rawValue: $1)) }))
    }

    // MARK: - Files

    var names: [String] { FileTree.names(path) }
    var aside: [String] { FileTree.names("\(path)/diverged") }

    /// The names in `diverged`, without the time behind them.
    var asideNames: [String] { aside.map(Self.withoutTime) }

    /// The content of the first file in `diverged`.
    func firstAside() throws -> [UInt8] {
        guard let name = aside.first else { throw SupportError("nothing was set aside in \"\(path)\"") }
        return try bytes("diverged/\(name)")
    }

    static func withoutTime(_ name: String) -> String {
        name.split(separator: ".").dropLast().joined(separator: ".")
    }

    func put(_ name: String, _ content: [UInt8]) throws {
        try Data(content).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    }

    /// Puts a segment's file, compressed as its name says.
    ///
    /// - Parameter count: So much of the segment is in it; what follows in a plain file is zeros.
    func putSegment(_ name: String, upTo count: Int? = nil, bytes: [UInt8]? = nil) throws {
        let file = ArchivedSegment(fileName: name, size: Self.size)!
        var content = bytes ?? .wal(of: WALSegment(file.segment))
        if let count {
            content.removeSubrange(count...)
            if file.compression == .none { content += [UInt8](repeating: 0, count: Int(Self.size.bytes) - count) }
        }
        if let method = file.compression {
            var compressor = try Compressor(method), output: [UInt8] = []
            try compressor.compress(unsafe content.span.bytes, into: &output)
            if file.isPartial { try compressor.flush(into: &output) } else { try compressor.finish(into: &output) }
            content = output
        }
        try put(name, content)
    }

    func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")))
    }

    /// What a file holds, decompressed as its name says and as far as it goes; nil where there is none.
    func content(_ name: String) throws -> [UInt8]? {
        guard FileTree.exists("\(path)/\(name)") else { return nil }
        let bytes = try bytes(name)
        let methods: [(String, Compression.Method)] = [(".gz", .gzip), (".lz4", .lz4), (".zst", .zstd)]
        guard let method = methods.first(where: { name.contains($0.0) })?.1 else { return bytes }
        var decompressor = try Decompressor(method), output: [UInt8] = []
        var rest = unsafe bytes.span.bytes
        while let piece = try decompressor.nextPiece(of: &rest) {
            // The piece is copied within the call.
            unsafe piece.withUnsafeBytes { unsafe output.append(contentsOf: $0) }
        }
        return output
    }

    func size(_ name: String) throws -> Int { try bytes(name).count }
    func mode(_ name: String) throws -> Int { try FileTree.mode("\(path)/\(name)") }
}

/// A segment of 1 MB.
func segment(_ number: UInt64, timeline: UInt32 = 1) -> WALSegment {
    TestArchive.sample.segment(number, timeline: TimelineID(rawValue: timeline))
}

func position(_ timeline: UInt32, _ lsn: UInt64) -> WALPosition {
    WALPosition(timeline: TimelineID(rawValue: timeline), lsn: LSN(rawValue: lsn))
}

/// The name of a segment's file.
func file(_ number: UInt64, _ suffix: String = "", timeline: UInt32 = 1) -> String {
    segment(number, timeline: timeline).name + suffix
}

extension [UInt8] {
    /// The content of a segment as a server sends it.
    static func wal(of segment: WALSegment, system: String? = nil, size: Int? = nil) -> [UInt8] {
        var sample = TestArchive.sample
        if let system { sample.systemIdentifier = system }
        return sample.content(of: segment, headerSize: size)
    }

    /// Whether these are the first bytes of `other`, and whatever follows there is zeros. Says less than `==` where it
    /// fails: a megabyte of bytes tells nothing.
    func isHeld(in other: [UInt8]?) -> Bool {
        guard let other, other.count >= count else { return false }
        return other.hasSamePrefix(as: self, count) && other.isZero(from: count)
    }

    /// As `==`, but fast without optimisation.
    func isSame(as other: [UInt8]?) -> Bool {
        other.map { same(self, $0) } ?? false
    }
}

extension WALDestination {
    /// Writes bytes of a segment in one piece.
    func write(_ content: [UInt8], _ range: Range<Int>) throws(WALDestinationError) {
        try write(unsafe content.span.bytes.extracting(range), at: range.lowerBound)
    }

    /// Writes bytes of a segment in one piece that is synced next.
    func writeToSync(_ content: [UInt8], _ range: Range<Int>) throws(WALDestinationError) {
        try writeToSync(unsafe content.span.bytes.extracting(range), at: range.lowerBound)
    }

    /// Writes bytes of a segment in pieces of uneven size.
    func writeInPieces(_ content: [UInt8], _ range: Range<Int>) throws(WALDestinationError) {
        var start = range.lowerBound
        var length = 1
        while start < range.upperBound {
            let end = Swift.min(range.upperBound, start + length)
            try write(content, start..<end)
            start = end
            length = length * 7 % 300_007
        }
    }

    /// A whole segment, from its first byte to its name.
    func store(_ segment: WALSegment, _ content: [UInt8]? = nil) throws(WALDestinationError) {
        let content = content ?? .wal(of: segment)
        try begin(segment)
        try writeInPieces(content, 0..<content.count)
        try finish(segment)
    }
}

extension WALHoldings {
    /// Where the stream goes on, and what is to be said.
    var withoutTail: WALHoldings {
        var holdings = self
        holdings.end = nil
        holdings.begin = nil
        holdings.tail = []
        return holdings
    }
}
