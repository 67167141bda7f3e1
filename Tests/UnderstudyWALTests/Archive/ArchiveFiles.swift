import Testing
import UnderstudyWAL

/// An archive that exists only as names. Segments are of 1 MB: number 3 begins at 0/300000.
struct ArchiveFiles: ArchiveReader {
    struct Broken: Error {}

    /// The content that differs from what the name says: of a file, how many bytes it holds.
    var held: [String: UInt64] = [:]
    var unusable: Set<String> = []
    var misnamed: Set<String> = []
    /// Files that cannot be read.
    var broken: Set<String> = []
    /// What was asked for.
    private(set) var questions: [String] = []

    static let size = WALSegmentSize(bytes: 1 << 20)!

    private mutating func ask(_ question: String, _ file: ArchivedSegment) throws(Broken) {
        questions.append("\(question) \(file.fileName)")
        if broken.contains(file.fileName) { throw Broken() }
    }

    /// How many bytes a file holds: a complete one all.
    private func bytes(_ file: ArchivedSegment) -> UInt64 {
        held[file.fileName] ?? (file.isPartial ? 0 : file.segment.size.bytes)
    }

    mutating func verdict(on file: ArchivedSegment) throws(Broken) -> ArchivedSegment.Verdict {
        try ask("verdict", file)
        if unusable.contains(file.fileName) { return .unusable }
        return misnamed.contains(file.fileName) ? .misnamed : .sound
    }

    mutating func isWhole(_ file: ArchivedSegment) throws(Broken) -> Bool {
        try ask("whole", file)
        return bytes(file) == file.segment.size.bytes
    }

    mutating func hasContent(_ file: ArchivedSegment, from position: LSN) throws(Broken) -> Bool {
        try ask("content", file)
        return bytes(file) > position.segmentOffset(file.segment.size)
    }

    mutating func end(of file: ArchivedSegment) throws(Broken) -> LSN? {
        try ask("end", file)
        return bytes(file) == 0 ? nil : LSN(rawValue: file.segment.startLSN.rawValue + bytes(file))
    }

    mutating func plan(
        _ names: [String], timeline: UInt32 = 1, forks: [UInt32: UInt64]? = nil,
        kept: [TimelineHistory] = []
    ) throws -> ArchivePlan {
        let history = timeline == 1 ? TimelineHistory(root: 1) : try forks.map { try Self.history(timeline, $0) }
        return try ArchiveListing(names: names, segmentSize: Self.size).plan(
            timeline: TimelineID(rawValue: timeline), history: history, kept: kept, reading: &self)
    }

    /// - Parameter forks: Where the timelines before it ended.
    static func history(_ timeline: UInt32, _ forks: [UInt32: UInt64]) throws -> TimelineHistory {
        let lines = forks.sorted { $0.key < $1.key }.map { "\($0.key)\t\(LSN(rawValue: $0.value))\tr\n" }
        return try TimelineHistory(parsing: Array(lines.joined().utf8), of: TimelineID(rawValue: timeline))
    }
}

/// The name of a segment's file.
func file(_ number: UInt64, _ suffix: String = "", timeline: UInt32 = 1) -> String {
    "\(WALSegmentName(timeline: TimelineID(rawValue: timeline), number: number, size: ArchiveFiles.size)!)\(suffix)"
}

func position(_ timeline: UInt32, _ lsn: UInt64) -> WALPosition {
    WALPosition(timeline: TimelineID(rawValue: timeline), lsn: LSN(rawValue: lsn))
}
