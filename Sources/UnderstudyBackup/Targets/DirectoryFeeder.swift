import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// Writes the members of the archives into directories: the plain format.
///
/// Nothing outside of the roots is touched, whatever the server sends. Symbolic links are created only as
/// `pg_tblspc/OID`, for announced tablespaces, and lead to the directories chosen here.
struct DirectoryFeeder: MemberFeeder {
    typealias Failure = UnderstudyError

    private let layout: DirectoryLayout
    private let dataRoot: MemberRoot.Open
    /// Where the members below pg_wal go, if not into the data directory.
    private let walRoot: MemberRoot.Open?
    private let notes: MemberNotes

    /// The root of the current archive.
    private var root: MemberRoot.Open
    private var filler: BatchFiller<DirectoryOutput>
    private var isFile = false
    private var memberCheck: MemberCheck
    /// The number of archives whose directories may still be open because writes to them are pending.
    private var archivesUnderWay = 0

    private static let mostArchivesUnderWay = 8

    init(
        _ layout: DirectoryLayout, notes: MemberNotes, filler: BatchFiller<DirectoryOutput>
    ) throws(UnderstudyError) {
        self.layout = layout
        dataRoot = try layout.data.open()
        walRoot = if let wal = layout.wal { try wal.open() } else { nil }
        self.notes = notes
        root = dataRoot
        memberCheck = MemberCheck(rules: layout.rules)
        self.filler = filler
    }

    mutating func beginArchive(_ archive: AnnouncedArchive) throws(UnderstudyError) {
        if archivesUnderWay == Self.mostArchivesUnderWay {
            try filler.drain()
            archivesUnderWay = 0
        }
        archivesUnderWay += 1
        memberCheck.beginArchive(isOfTablespace: archive.oid != nil)
        root = if let oid = archive.oid { try layout.tablespaces[oid]!.open() } else { dataRoot }
    }

    mutating func drain() throws(UnderstudyError) {
        try filler.drain()
    }

    mutating func begin(_ entry: TarEntry) throws(UnderstudyError) {
        isFile = false
        try memberCheck.check(entry)
        if root.manifestPrefix == nil { try checkLink(entry) }
        switch entry.kind {
        case .file:
            isFile = true
            try filler.open(file(entry, piece: nil))
        case .directory:
            do throws(FileIOError) { try makeDirectory(entry) } catch { throw UnderstudyError(error) }
        case .symbolicLink:
            guard root.manifestPrefix == nil, let place = entry.path.tablespacePlace, place.isItself,
                let target = layout.links[place.oid]
            else {
                throw UnderstudyError(
                    .protocolViolation, "server sent symbolic link \"\(entry.path)\", which is no tablespace",
                    detail: "Symbolic links are made only for the tablespaces that the server has announced.")
            }
            do throws(FileIOError) {
                let path = RelativePath(bytes: entry.path.bytes)
                if layout.updates {
                    try dataRoot.directory.takeSymbolicLink(path, to: target)
                } else {
                    try dataRoot.directory.makeSymbolicLink(path, to: target)
                }
            } catch { throw UnderstudyError(error) }
            notes.noteLink(place.oid)
        }
    }

    mutating func begin(_ entry: TarEntry, _ piece: FilePiece) throws(UnderstudyError) {
        isFile = true
        try memberCheck.check(entry)
        if root.manifestPrefix == nil { try checkLink(entry) }
        try filler.open(file(entry, piece: piece))
    }

    mutating func content(_ bytes: RawSpan) throws(UnderstudyError) {
        try filler.append(bytes)
    }

    mutating func end() throws(UnderstudyError) {
        if isFile { filler.close() }
    }

    // MARK: - What is there already

    var updates: Bool { layout.updates }

    mutating func openPresent(_ entry: TarEntry) throws(UnderstudyError) -> PresentFile? {
        guard let (directory, path) = try place(ofFound: entry) else { return nil }
        do throws(FileIOError) { return try directory.openPresent(path) } catch { throw UnderstudyError(error) }
    }

    mutating func present(_ bytes: RawSpan) throws(UnderstudyError) {
        try filler.append(bytes, isPresent: true)
    }

    mutating func leaveOut(_ entry: TarEntry) throws(UnderstudyError) {
        guard let (directory, path) = try place(ofFound: entry) else { return }
        do throws(FileIOError) { try directory.removeTree(path) } catch { throw UnderstudyError(error) }
    }

    /// Where a file may lie already. The server names it: what it never sends, it is told nothing about.
    private mutating func place(
        ofFound entry: TarEntry
    ) throws(UnderstudyError) -> (ConfinedDirectory, RelativePath)? {
        guard layout.updates else { return nil }
        try memberCheck.check(entry)
        if root.manifestPrefix == nil { try checkLink(entry) }
        let (root, relative) = route(entry.path)
        return relative.map { (root.directory, $0) }
    }

    // MARK: - Checks

    /// At the path of a tablespace that lies elsewhere, only its link may come; at that of an in-place one, its
    /// directory.
    private func checkLink(_ entry: TarEntry) throws(UnderstudyError) {
        guard let (oid, isAtPlace) = entry.path.tablespacePlace else { return }
        if layout.links[oid] != nil {
            if isAtPlace, case .symbolicLink = entry.kind { return }
        } else if layout.premade.contains("pg_tblspc/\(oid)") {
            if isAtPlace, entry.kind == .directory { return }
        } else {
            return
        }
        throw UnderstudyError(
            .protocolViolation, "server sent \"\(entry.path)\" in the place of tablespace \(oid)",
            detail: "There stands the link to a tablespace, or its directory.")
    }

    // MARK: - Where members go

    private func makeDirectory(_ entry: TarEntry) throws(FileIOError) {
        if root.manifestPrefix == nil, let path = entry.path.string, layout.premade.contains(path) { return }
        let (root, relative) = route(entry.path)
        guard let relative else { return }
        let mode = entry.mode & layout.directoryMode
        if layout.updates {
            try root.directory.takeDirectory(relative, mode: mode)
        } else {
            try root.directory.makeDirectory(relative, mode: mode)
        }
    }

    private mutating func file(
        _ entry: TarEntry, piece: FilePiece?
    ) throws(UnderstudyError) -> FileToWrite<DirectoryOutput.Place> {
        let (root, relative) = route(entry.path)
        guard let relative else {
            throw UnderstudyError(.protocolViolation, "server sent a file in place of directory \"\(entry.path)\"")
        }
        let path = root.manifestPrefix.map { $0.appending(entry.path) } ?? entry.path
        if entry.mode & 0o100 != 0 { notes.noteExecutable("\"\(path)\"") }
        return FileToWrite(
            manifestPath: path, size: entry.size, modificationTime: entry.modificationTime,
            // Set-user-ID bits and permissions for others do not belong in a data directory.
            place: .init(
                directory: root.directory, relative: relative, mode: entry.mode & layout.directoryMode & 0o666,
                sync: root.syncsEachFile, leavesHoles: layout.leavesHoles && !isOfWALDirectory(entry.path),
                updates: layout.updates),
            piece: piece)
    }

    /// The root and the path in it; nil for the root itself.
    private func route(_ path: MemberPath) -> (MemberRoot.Open, RelativePath?) {
        if root.manifestPrefix == nil, path.bytes.elementsEqual(HeldMember.path.utf8) {
            return (root, ControlFilePlace.untilComplete)
        }
        guard let walRoot, isOfWALDirectory(path) else { return (root, RelativePath(bytes: path.bytes)) }
        let rest = path.bytes.dropFirst(layout.walName.utf8CodeUnitCount + 1)
        return (walRoot, rest.isEmpty ? nil : RelativePath(bytes: rest))
    }

    private func isOfWALDirectory(_ path: MemberPath) -> Bool {
        root.manifestPrefix == nil && (path.isBeneath(layout.walName) || path.string == "\(layout.walName)")
    }
}
