import UnderstudyPlatform

/// A piece of a file in a directory, while it is written.
struct OpenPiece {
    private let piece: FilePiece
    private let file: PiecedFile
    /// Whether the piece is left out if it is all zeros.
    private let mayBeHole: Bool
    private var offset: UInt64
    /// Zeros that are held back: nothing else has come yet.
    private var heldZeros: UInt64 = 0

    init(_ piece: FilePiece, _ place: DirectoryOutput.Place, size: UInt64) throws(FileIOError) {
        self.piece = piece
        file = try piece.file.open { () throws(FileIOError) in
            try PiecedFile(
                in: place.directory, place.relative, mode: place.mode, size: size, leavesHoles: place.leavesHoles,
                updates: place.updates)
        }
        mayBeHole = place.leavesHoles && piece.count >= UInt64(OutputFile.shortestHole)
        offset = piece.offset
    }

    mutating func write(_ bytes: RawSpan) throws(FileIOError) {
        if mayBeHole, offset == piece.offset, bytes.leadingZeros == bytes.byteCount {
            heldZeros += UInt64(bytes.byteCount)
            return
        }
        try writeHeldZeros()
        try file.write(bytes, at: offset)
        offset += UInt64(bytes.byteCount)
    }

    mutating func passOver(_ bytes: RawSpan) throws(FileIOError) {
        try writeHeldZeros()
        try file.passOver(bytes, at: offset)
        offset += UInt64(bytes.byteCount)
    }

    private mutating func writeHeldZeros() throws(FileIOError) {
        try file.writeZeros(offset..<offset + heldZeros)
        offset += heldZeros
        heldZeros = 0
    }

    mutating func finish(sync: Bool) throws(FileIOError) {
        if heldZeros == piece.count {
            try file.leaveHole(piece.range)
            offset += heldZeros
        } else {
            try writeHeldZeros()
        }
        precondition(offset == piece.range.upperBound, "a piece has not the length of what came for it")
        if piece.file.wrote(piece) { try file.finish(sync: sync) }
    }
}
