import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform

/// What is still to be copied: units for any number of connections, the largest files first.
final class BackupQueue: Sendable {
    private struct State: ~Copyable {
        let table: FileTable
        /// Files of which each has units of its own, the largest last; then those that share one.
        var large: [Int]
        var small: ArraySlice<Int>
        /// The file whose pieces are given out, and where the next one begins.
        var current: (file: Int, pieces: FileInPieces, next: UInt64)?
        var isStopped = false
    }

    private let state: Monitor<State>
    private let cutsFiles: Bool
    private let fileMode: UInt16

    /// Room for many rows, and little to fetch again if a connection breaks.
    static let pieceSize: UInt64 = 16 << 20
    /// Files below this size share a unit.
    static let largeSize: UInt64 = 1 << 20
    private static let mostPartsOfUnit = 500
    private static let mostBytesOfUnit: UInt64 = 8 << 20

    /// - Parameter cutsFiles: Whether pieces of one file may come over several connections.
    init(_ table: FileTable, leavingOut isLeftOut: (FileTable.File) -> Bool, cutsFiles: Bool, fileMode: UInt16) {
        var large: [Int] = [], small: [Int] = []
        for (index, file) in table.files.enumerated() where !isLeftOut(file) {
            if file.size >= Self.largeSize { large.append(index) } else { small.append(index) }
        }
        large.sort { table.files[$0].size < table.files[$1].size }
        state = Monitor(State(table: table, large: large, small: small[...]))
        self.cutsFiles = cutsFiles
        self.fileMode = fileMode
    }

    /// Gives nothing out any more.
    func stop() {
        state.change { $0.isStopped = true }
    }

    /// The next unit; nil if there is no more.
    func next() throws(UnderstudyError) -> BackupUnit? {
        let result = state.change { state -> Result<BackupUnit?, UnderstudyError> in
            guard !state.isStopped else { return .success(nil) }
            do throws(UnderstudyError) { return .success(try takeNext(&state)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    private func takeNext(_ state: inout State) throws(UnderstudyError) -> BackupUnit? {
        if let unit = try nextPiece(&state) { return unit }
        if let file = state.large.popLast() {
            if cutsFiles, state.table.files[file].size > Self.pieceSize {
                state.current = (file, FileInPieces(size: state.table.files[file].size), 0)
                return try nextPiece(&state)
            }
            return try unit(of: [file], state.table)
        }
        return try nextOfSmall(&state)
    }

    private func nextPiece(_ state: inout State) throws(UnderstudyError) -> BackupUnit? {
        guard let (file, pieces, offset) = state.current else { return nil }
        let count = min(Self.pieceSize, pieces.size - offset)
        state.current = offset + count < pieces.size ? (file, pieces, offset + count) : nil
        var unit = try unit(of: [file], state.table)
        unit.parts[0].piece = FilePiece(of: pieces, offset: offset, count: count)
        return unit
    }

    private func nextOfSmall(_ state: inout State) throws(UnderstudyError) -> BackupUnit? {
        guard let first = state.small.first else { return nil }
        let archive = state.table.directory(of: state.table.files[first]).archive
        var bytes: UInt64 = 0, taken: [Int] = []
        while let file = state.small.first, taken.count < Self.mostPartsOfUnit, bytes < Self.mostBytesOfUnit,
            state.table.directory(of: state.table.files[file]).archive == archive
        {
            bytes += state.table.files[file].size
            taken.append(file)
            state.small.removeFirst()
        }
        return try unit(of: taken, state.table)
    }

    private func unit(of files: [Int], _ table: borrowing FileTable) throws(UnderstudyError) -> BackupUnit {
        var parts: [BackupUnit.Part] = []
        for index in files {
            let file = table.files[index]
            parts.append(
                .init(
                    entry: TarEntry(
                        path: try table.memberPath(file), kind: .file, mode: fileMode, size: file.size,
                        modificationTime: file.modificationTime),
                    path: table.serverPath(file)))
        }
        return BackupUnit(archive: table.directory(of: table.files[files[0]]).archive, parts: parts)
    }
}
