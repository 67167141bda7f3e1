import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Reads a segment file of an archive.
struct ArchivedContents {
    let segment: ArchivedSegment
    let directory: ConfinedDirectory

    var name: RelativePath { RelativePath(segment.fileName) }

    init(_ segment: ArchivedSegment, in directory: ConfinedDirectory) {
        self.segment = segment
        self.directory = directory
    }

    /// Why a file cannot be what its name says; nil if it can. A partial file may have any size up to a whole segment.
    func flaw() throws(WALDestinationError) -> String? {
        let found: UInt64
        if let compressed {
            if segment.isPartial { return nil }
            let decoded = try compressed.measure()
            guard decoded.isComplete else { return "is damaged or incomplete" }
            found = decoded.bytes
        } else {
            found = UInt64(try writing { () throws(FileIOError) in try directory.sizeAndMode(of: name).size })
        }
        return segment.canHold(found) ? nil : "has incorrect size \(found)"
    }

    /// The header of its first page; nil if it has none.
    func header() throws(WALDestinationError) -> WALPageHeader? {
        WALPageHeader(try file.prefix(WALPageHeader.byteCount))
    }

    /// Whether it has anything but zeros from a position on.
    func hasContent(from position: LSN) throws(WALDestinationError) -> Bool {
        let offset = position.segmentOffset(segment.segment.size)
        if let compressed { return try compressed.hasContent(from: offset) }
        return try writing { () throws(FileIOError) in try directory.hasContent(name, from: Int64(offset)) }
    }
}
