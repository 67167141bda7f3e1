import UnderstudyBackupFormat
import UnderstudyPlatform

/// A piece of a file whose pieces come in any order, through several feeders.
package struct FilePiece: Sendable {
    package let file: FileInPieces
    package let offset: UInt64
    package let count: UInt64

    var range: Range<UInt64> { offset..<offset + count }

    package init(of file: FileInPieces, offset: UInt64, count: UInt64) {
        self.file = file
        self.offset = offset
        self.count = count
    }
}

/// What the pieces of a file have in common: the open file, and the checksums of the pieces that are there.
package final class FileInPieces: Sendable {
    private struct State {
        var file: PiecedFile?
        var checksums: [(offset: UInt64, count: UInt64, checksum: FileChecksum?)] = []
        var digested: UInt64 = 0
        var written: UInt64 = 0
    }

    package let size: UInt64
    private let state = Monitor(State())

    package init(size: UInt64) {
        self.size = size
    }

    /// The file; made by the first piece that asks.
    func open(_ make: () throws(FileIOError) -> PiecedFile) throws(FileIOError) -> PiecedFile {
        let result = state.change { state -> Result<PiecedFile, FileIOError> in
            if let file = state.file { return .success(file) }
            do throws(FileIOError) {
                let file = try make()
                state.file = file
                return .success(file)
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// A piece is written.
    ///
    /// - Returns: Whether it was the last one.
    func wrote(_ piece: FilePiece) -> Bool {
        state.change { state in
            state.written += piece.count
            precondition(state.written <= size, "pieces of a file overlap")
            if state.written == size { state.file = nil }
            return state.written == size
        }
    }

    /// The checksum of a piece is known: a CRC-32C, or none.
    ///
    /// - Returns: That of the whole file if it was the last piece, which may be none; nil if others have yet to come.
    func add(_ checksum: FileChecksum?, of piece: FilePiece) -> FileChecksum?? {
        state.change { state in
            state.checksums.append((piece.offset, piece.count, checksum))
            state.digested += piece.count
            guard state.digested == size else { return nil }
            let parts = state.checksums.sorted { $0.offset < $1.offset }
            state.checksums = []
            var whole: FileChecksum? = parts.first?.checksum, end: UInt64 = parts.first?.count ?? 0
            for part in parts.dropFirst() {
                precondition(part.offset == end, "pieces of a file overlap")
                whole = part.checksum.flatMap { whole?.followed(by: $0, byteCount: part.count) }
                end += part.count
            }
            return .some(whole)
        }
    }
}
