import Glibc
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Finds out from the segments themselves which cluster they are of, and what size they have.
struct SegmentOrigin {
    private let files: InspectedFiles
    /// Newest first.
    private let names: [String]

    /// So many first pages decide by their majority: one of them may be damaged.
    private static let votes = 5
    /// Each name of a segment is one at this size.
    private static let smallest = WALSegmentSize(bytes: 1 << 20)!

    init(_ files: InspectedFiles, _ names: [String]) {
        self.files = files
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
                switch try files.reading(name, { () throws(WALDestinationError) in try beginning(file) }) {
                case .header(let header): headers.append(header)
                case .unwritten(let size): if let size { sizes.insert(size) }
                case .other: unreadable.note("\"\(name)\"")
                case nil: break
                }
            } catch { throw UnderstudyError(error) }
        }
        if let header = Self.majority(headers) { return (WALSegmentSize(bytes: header.segmentSize), header) }
        if unreadable.count == 0 {
            if sizes.count == 1 { return (WALSegmentSize(bytes: sizes.first!), nil) }
            guard let failure = files.failures.min(by: { $0.key < $1.key })?.value else { return (nil, nil) }
            throw UnderstudyError(failure)
        }
        throw UnderstudyError(
            .wal, "no segment in \"\(files.directory.path)\" can be read",
            detail: "The first page of a segment tells whose it is. None of these has one: \(unreadable.list).",
            hint: "Check that they are segments of WAL, compressed as their names say.")
    }

    private enum Beginning {
        case header(WALPageHeader)
        /// Nothing was written yet; the size of a file that is not compressed.
        case unwritten(UInt64?)
        case other
    }

    private func beginning(_ file: ArchivedSegment) throws(WALDestinationError) -> Beginning {
        let contents = ArchivedContents(file, in: files.directory)
        if let header = try contents.header(), WALSegmentSize(bytes: header.segmentSize) != nil {
            return .header(header)
        }
        guard file.isPartial, try !contents.hasContent(from: file.segment.startLSN) else { return .other }
        let stored = file.compression == nil ? try? files.directory.archivedFile(file.fileName) : nil
        return .unwritten(stored?.bytes)
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

    let files: InspectedFiles

    func verdict(on file: ArchivedSegment) -> ArchivedSegment.Verdict { .sound }

    func isWhole(_ file: ArchivedSegment) throws(WALDestinationError) -> Bool {
        // One that cannot be read is for a check to report; by its name it is whole.
        try read(file) { contents throws(WALDestinationError) in try contents.extent()?.isWhole } ?? true
    }

    func hasContent(_ file: ArchivedSegment, from position: LSN) throws(WALDestinationError) -> Bool {
        try read(file) { contents throws(WALDestinationError) in try contents.hasContent(from: position) }
            ?? !file.isPartial
    }

    func end(of file: ArchivedSegment) throws(WALDestinationError) -> LSN? {
        let end = try read(file) { contents throws(WALDestinationError) in .some(try contents.end()) }
        return end ?? (file.isPartial ? nil : file.segment.endLSN)
    }

    /// nil for one that is gone, or cannot be read: then its name is believed.
    private func read<Value>(
        _ file: ArchivedSegment, _ body: (ArchivedContents) throws(WALDestinationError) -> Value?
    ) throws(WALDestinationError) -> Value? {
        try files.reading(file.fileName) { () throws(WALDestinationError) in
            try body(ArchivedContents(file, in: files.directory))
        }
    }
}
