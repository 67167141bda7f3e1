import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform

/// What is still to be copied: units for any number of connections.
final class BackupQueue: Sendable {
    /// In which order units are given out.
    enum Order {
        /// The largest files of all archives first.
        ///
        /// - Parameter cutsFiles: Whether pieces of one file may come over several connections.
        case largestFirst(cutsFiles: Bool)
        /// One archive after another, each with its directories first. Every file is cut, and its pieces follow on each
        /// other; a unit is small enough to wait for its turn in the memory that its connection has.
        ///
        /// - Parameter archives: The index of each, and its directories.
        case inTurn(archives: [(index: Int, directories: [TarEntry])])
    }

    /// What is given out before the next group.
    private struct Group {
        /// A unit of their own; nil if there are none to be given out.
        var directories: (archive: Int, entries: [TarEntry])?
        /// Files of which each has units of its own, the largest last.
        var large: [UInt32] = []
        /// Those that share one.
        var small: ArraySlice<UInt32> = []
    }

    private struct State: ~Copyable {
        let table: FileTable
        var groups: ArraySlice<Group>
        /// The file whose pieces are given out, and where the next one begins.
        var current: (file: Int, pieces: FileInPieces, next: UInt64)?
        /// The bytes of all that is still to be given out.
        var left: UInt64
        var turns = 0
        var isStopped = false
    }

    private let state: Monitor<State>
    private let cutsFiles: Bool
    private let pieceSize: UInt64
    private let mostBytesOfUnit: UInt64
    private let fileMode: UInt16

    /// Room for many rows, and little to fetch again if a connection breaks.
    static let pieceSize: UInt64 = 16 << 20
    /// What a connection may have in memory ahead of its turn: see ``WriteTurns``.
    static let pieceSizeInTurn: UInt64 = 4 << 20
    /// Files below this size share a unit.
    static let largeSize: UInt64 = 1 << 20
    private static let mostPartsOfUnit = 500
    /// Two units for each of eight connections. More of them would cost queries where no network limits a connection.
    private static let partsOfRest: UInt64 = 16
    /// Below that, queries count.
    private static let smallestPiece: UInt64 = 4 << 20

    init(_ table: FileTable, leavingOut isLeftOut: (FileTable.File) -> Bool, order: Order, fileMode: UInt16) {
        var groups: [Group], groupOfArchive: [Int: Int] = [:]
        switch order {
        case .largestFirst(let cuts):
            cutsFiles = cuts
            pieceSize = Self.pieceSize
            mostBytesOfUnit = 8 << 20
            groups = [Group()]
        case .inTurn(let archives):
            cutsFiles = true
            pieceSize = Self.pieceSizeInTurn
            // One more file may follow.
            mostBytesOfUnit = Self.pieceSizeInTurn - Self.largeSize
            groups = archives.map { Group(directories: ($0.index, $0.directories)) }
            for (group, archive) in archives.enumerated() { groupOfArchive[archive.index] = group }
        }
        let files = table.files
        var left: UInt64 = 0
        for (index, file) in files.enumerated() where !isLeftOut(file) {
            left &+= file.size
            let group = groupOfArchive[table.directory(of: file).archive] ?? 0, index = UInt32(index)
            if file.size >= Self.largeSize {
                groups[group].large.append(index)
            } else {
                groups[group].small.append(index)
            }
        }
        for group in groups.indices { groups[group].large.sort { files[Int($0)].size < files[Int($1)].size } }
        state = Monitor(State(table: table, groups: groups[...], left: left))
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
            do throws(UnderstudyError) {
                var unit = try takeNext(&state)
                unit?.turn = BackupTurn(number: state.turns)
                if unit != nil { state.turns += 1 }
                return .success(unit)
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// How many turns the units have had that were given out.
    var turns: Int { state.read { $0.turns } }

    private func takeNext(_ state: inout State) throws(UnderstudyError) -> BackupUnit? {
        if let unit = try nextPiece(&state) { return unit }
        while let group = state.groups.indices.first {
            if let directories = state.groups[group].directories.take() {
                return BackupUnit(archive: directories.archive, parts: [], directories: directories.entries)
            }
            if let file = state.groups[group].large.popLast() { return try unit(of: Int(file), &state) }
            let most = min(mostBytesOfUnit, partOfRest(state.left))
            if let unit = try nextOfSmall(&state.groups[group].small, state.table, most) {
                state.left &-= unit.parts.reduce(0) { $0 &+ $1.entry.size }
                return unit
            }
            state.groups.removeFirst()
        }
        return nil
    }

    /// How large a unit is at most: smaller towards the end, so that no connection waits long for another one's last.
    /// Whole pages and rows: a multiple of 1 MiB.
    private func partOfRest(_ left: UInt64) -> UInt64 {
        min(pieceSize, max(Self.smallestPiece, left / Self.partsOfRest / Self.largeSize * Self.largeSize))
    }

    private func unit(of file: Int, _ state: inout State) throws(UnderstudyError) -> BackupUnit? {
        let size = state.table.files[file].size
        guard cutsFiles, size > partOfRest(state.left) else {
            state.left &-= size
            return try unit(of: [file], state.table)
        }
        state.current = (file, FileInPieces(size: size), 0)
        return try nextPiece(&state)
    }

    private func nextPiece(_ state: inout State) throws(UnderstudyError) -> BackupUnit? {
        guard let (file, pieces, offset) = state.current else { return nil }
        let count = min(partOfRest(state.left), pieces.size - offset)
        state.left &-= count
        state.current = offset + count < pieces.size ? (file, pieces, offset + count) : nil
        var unit = try unit(of: [file], state.table)
        unit.parts[0].piece = FilePiece(of: pieces, offset: offset, count: count)
        return unit
    }

    private func nextOfSmall(
        _ small: inout ArraySlice<UInt32>, _ table: borrowing FileTable, _ mostBytes: UInt64
    ) throws(UnderstudyError) -> BackupUnit? {
        guard let first = small.first.map({ Int($0) }) else { return nil }
        let archive = table.directory(of: table.files[first]).archive
        var bytes: UInt64 = 0, taken: [Int] = []
        while let file = small.first.map({ Int($0) }), taken.count < Self.mostPartsOfUnit, bytes < mostBytes,
            table.directory(of: table.files[file]).archive == archive
        {
            bytes += table.files[file].size
            taken.append(file)
            small.removeFirst()
        }
        return try unit(of: taken, table)
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
