import Glibc
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Finds out from the segments themselves which cluster they are of, and what size they have.
struct SegmentOrigin {
    private let directory: ConfinedDirectory
    /// Newest first.
    private let names: [String]

    /// So many first pages decide by their majority: one of them may be damaged.
    private static let votes = 5
    /// Each name of a segment is one at this size.
    private static let smallest = WALSegmentSize(bytes: 1 << 20)!

    init(_ directory: ConfinedDirectory, _ names: [String]) {
        self.directory = directory
        self.names = names.filter(ArchivedSegment.isFileName).sorted {
            ($0.dropFirst(8).prefix(16), $0.prefix(8)) > ($1.dropFirst(8).prefix(16), $1.prefix(8))
        }
    }

    /// - Returns: Nothing if there are no segments; no header if they were made and not written yet.
    func find() throws(UnderstudyError) -> (WALSegmentSize?, WALPageHeader?) {
        var headers: [WALPageHeader] = []
        var unreadable = TruncatedList(), sizes: Set<UInt64> = []
        for name in names where headers.count < Self.votes {
            guard let file = ArchivedSegment(fileName: name, size: Self.smallest) else { continue }
            do throws(WALDestinationError) {
                let contents = ArchivedContents(file, in: directory)
                if let header = try contents.header(), WALSegmentSize(bytes: header.segmentSize) != nil {
                    headers.append(header)
                } else if file.isPartial, try !contents.hasContent(from: file.segment.startLSN) {
                    if file.compression == nil, let stored = try? directory.archivedFile(name) {
                        sizes.insert(stored.bytes)
                    }
                } else {
                    unreadable.note("\"\(name)\"")
                }
            } catch {
                // It may have been renamed or removed meanwhile.
                if !directory.exists(RelativePath(name)) { continue }
                throw UnderstudyError(error)
            }
        }
        if let header = Self.majority(headers) { return (WALSegmentSize(bytes: header.segmentSize), header) }
        guard unreadable.count > 0 else { return (sizes.count == 1 ? WALSegmentSize(bytes: sizes.first!) : nil, nil) }
        throw UnderstudyError(
            .wal, "no segment in \"\(directory.path)\" can be read",
            detail: "The first page of a segment tells whose it is. None of these has one: \(unreadable.list).",
            hint: "Check that they are segments of WAL, compressed as their names say.")
    }

    private static func majority(_ headers: [WALPageHeader]) -> WALPageHeader? {
        func agree(_ one: WALPageHeader, _ other: WALPageHeader) -> Bool {
            (one.magic, one.systemIdentifier, one.segmentSize, one.pageSize)
                == (other.magic, other.systemIdentifier, other.segmentSize, other.pageSize)
        }
        let votes = headers.map { header in headers.count { agree($0, header) } }
        // Of equals, the newest.
        guard let most = votes.max(), let index = votes.firstIndex(of: most) else { return nil }
        return headers[index]
    }
}

/// Reads the files that an inventory asks about.
struct InspectionReader: ArchiveReader {
    typealias Failure = WALDestinationError

    let directory: ConfinedDirectory

    func verdict(on file: ArchivedSegment) -> ArchivedSegment.Verdict { .sound }

    func isWhole(_ file: ArchivedSegment) throws(WALDestinationError) -> Bool {
        // One that cannot be read is for a check to report; by its name it is whole.
        try read(file) { contents throws(WALDestinationError) in try contents.extent()?.isWhole } ?? true
    }

    func hasContent(_ file: ArchivedSegment, from position: LSN) throws(WALDestinationError) -> Bool {
        try read(file) { contents throws(WALDestinationError) in try contents.hasContent(from: position) } ?? false
    }

    func end(of file: ArchivedSegment) throws(WALDestinationError) -> LSN? {
        try read(file) { contents throws(WALDestinationError) in try contents.end() }
    }

    /// nil for one that is gone: an archiver may have finished it, or set it aside.
    private func read<Value>(
        _ file: ArchivedSegment, _ body: (ArchivedContents) throws(WALDestinationError) -> Value?
    ) throws(WALDestinationError) -> Value? {
        let contents = ArchivedContents(file, in: directory)
        do throws(WALDestinationError) { return try body(contents) } catch {
            if !directory.exists(contents.name) { return nil }
            throw error
        }
    }
}
