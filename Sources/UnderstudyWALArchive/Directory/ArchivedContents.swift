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
        if segment.compression == .none {
            found = UInt64(try writing { () throws(FileIOError) in try directory.sizeAndMode(of: name).size })
        } else if segment.isPartial {
            return nil
        } else {
            let decoded = try CompressedFile(segment.compression, name, in: directory).measure()
            guard decoded.isComplete else { return "is damaged or incomplete" }
            found = decoded.bytes
        }
        return segment.canHold(found) ? nil : "has incorrect size \(found)"
    }

    /// The header of its first page; nil if it has none.
    func header() throws(WALDestinationError) -> WALPageHeader? {
        WALPageHeader(try prefix(WALPageHeader.byteCount))
    }

    private func prefix(_ count: Int) throws(WALDestinationError) -> [UInt8] {
        if segment.compression == .none {
            return try writing { () throws(FileIOError) in try directory.read(name, atMost: count) }
        }
        return try CompressedFile(segment.compression, name, in: directory).prefix(count)
    }

    /// Whether it has anything but zeros from a position on.
    func hasContent(from position: LSN) throws(WALDestinationError) -> Bool {
        let offset = position.segmentOffset(segment.segment.size)
        if segment.compression == .none {
            return try writing { () throws(FileIOError) in try directory.hasContent(name, from: Int64(offset)) }
        }
        return try CompressedFile(segment.compression, name, in: directory).hasContent(from: offset)
    }
}
