/// The segments of an archive that are complete by their names, and there in no form that is read here.
struct OpaqueSegments {
    private let files: [ArchivedSegment: OpaqueFile]

    /// - Parameter readable: The segments that are there in a form that is read here.
    init(_ files: some Sequence<OpaqueFile>, beside readable: [ArchivedSegment], size: WALSegmentSize) {
        let complete = Set(readable.lazy.filter { !$0.isPartial }.map(\.segment))
        var found: [ArchivedSegment: OpaqueFile] = [:]
        for file in files where file.kind == .segment {
            guard let segment = file.segment(size), !complete.contains(segment.segment) else { continue }
            // Of several forms, one counts.
            if let other = found[segment], other.suffix <= file.suffix { continue }
            found[segment] = file
        }
        self.files = found
    }

    /// Each under the name that it would have as a plain file.
    var names: [String] { files.keys.map(\.fileName) }

    subscript(_ segment: ArchivedSegment) -> OpaqueFile? { files[segment] }
}

/// Believes the names of files that are not read here, and asks about others.
struct OpaqueReader<Base: ArchiveReader>: ArchiveReader {
    typealias Failure = Base.Failure

    var base: Base
    let opaque: OpaqueSegments

    mutating func verdict(on file: ArchivedSegment) throws(Base.Failure) -> ArchivedSegment.Verdict {
        opaque[file] == nil ? try base.verdict(on: file) : .sound
    }

    mutating func isWhole(_ file: ArchivedSegment) throws(Base.Failure) -> Bool {
        opaque[file] == nil ? try base.isWhole(file) : true
    }

    mutating func hasContent(_ file: ArchivedSegment, from position: LSN) throws(Base.Failure) -> Bool {
        opaque[file] == nil ? try base.hasContent(file, from: position) : true
    }

    mutating func end(of file: ArchivedSegment) throws(Base.Failure) -> LSN? {
        opaque[file] == nil ? try base.end(of: file) : file.segment.endLSN
    }
}
