public import UnderstudyCore
import UnderstudyPlatform
public import UnderstudyWAL
public import UnderstudyWALRecords

/// Verifies WAL in a directory of segment files: that ranges of it are there without a gap, that each record follows the one
/// before, and that its checksum matches.
///
/// It proves what pg_waldump(1) proves, for servers from 9.3 on, over timelines. Segments may be compressed as
/// pg_receivewal compresses them. Nothing is written, and nothing is unpacked but in memory, which does not grow with the WAL.
///
/// ```swift
/// let range = WALRange(timeline: 1, start: LSN("0/2000028")!, end: LSN("0/2000120")!)
/// let result = try await WALVerification(of: [range], in: "/srv/backup/pg_wal").run()
/// for flaw in result.flaws { print(flaw.position, flaw.message) }
/// ```
public struct WALVerification: Sendable {
    /// Oldest first; each one begins where the one before ends.
    public var ranges: [WALRange]
    public var directory: String
    /// Of the cluster; if nil, all segments must have the same.
    public var systemIdentifier: String?
    /// If nil, the files tell it.
    public var segmentSize: WALSegmentSize?
    /// Of a page of WAL, in bytes; if nil, the first segment tells it.
    public var pageSize: Int?

    public init(of ranges: [WALRange], in directory: String) {
        self.ranges = ranges
        self.directory = directory
    }

    public struct Result: Hashable, Sendable {
        /// What is wrong, at most one thing in each range, in which nothing behind it was read.
        public var flaws: [WALFlaw]
        /// The number of sound records in the ranges.
        public var recordCount: UInt64
        /// What was read of the segments, in bytes, decompressed.
        public var bytes: UInt64
    }

    /// Verifies all ranges.
    ///
    /// - Parameter body: Gets each sound record, in their order, on a thread of its own.
    /// - Throws: If the directory or a file in it cannot be read. Segments that are missing or damaged are no errors but flaws.
    public func run(
        _ body: @escaping @Sendable (WALRecord) -> Void = { _ in }
    ) async throws(UnderstudyError) -> Result {
        let interrupt = Interrupt()
        return try await OwnThread.run("verify-wal", interrupt: interrupt, failure: { UnderstudyError($0) }) {
            () throws(UnderstudyError) in
            try run(interrupt, body)
        }
    }

    func run(_ interrupt: Interrupt, _ body: (WALRecord) -> Void) throws(UnderstudyError) -> Result {
        let files = try SegmentFiles(directory)
        var size = segmentSize
        if size == nil { size = try files.segmentSize() }
        var verifier = WALVerifier(
            ranges, segmentSize: size ?? .default, systemIdentifier: systemIdentifier, pageSize: pageSize)
        var bytes: UInt64 = 0
        while let request = verifier.request {
            guard let segment = request.segments.first(where: files.has) else {
                verifier.skip()
                continue
            }
            bytes += try files.read(segment, from: request.position, for: &verifier, interrupt, body)
            verifier.finishSegment(segment, body)
        }
        return Result(flaws: verifier.flaws, recordCount: verifier.recordCount, bytes: bytes)
    }
}
