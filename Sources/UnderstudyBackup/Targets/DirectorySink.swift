import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// A directory for members of an archive, and its prefix in the manifest.
struct MemberRoot: Sendable {
    enum Place: Sendable {
        case open(ConfinedDirectory)
        case closed(OwnedDirectory.Closed)
        case beneath(ConfinedDirectory, RelativePath)
    }

    var place: Place
    /// The prefix of members' paths in the manifest; nil for the data directory.
    var manifestPrefix: MemberPath?
    /// Whether files in it must be synced one by one.
    var syncsEachFile: Bool

    var path: String {
        switch place {
        case .open(let directory): directory.path
        case .closed(let directory): directory.path
        case .beneath(let directory, let relative): directory.fullPath(relative)
        }
    }

    /// Opens the directory. It is closed when it is no longer used: there may be thousands.
    func open() throws(UnderstudyError) -> Open {
        do throws(FileIOError) {
            let directory =
                switch place {
                case .open(let directory): directory
                case .closed(let directory): try directory.open()
                case .beneath(let directory, let relative): try directory.openDirectory(relative)
                }
            return Open(directory: directory, manifestPrefix: manifestPrefix, syncsEachFile: syncsEachFile)
        } catch { throw UnderstudyError(error) }
    }

    struct Open: Sendable {
        let directory: ConfinedDirectory
        let manifestPrefix: MemberPath?
        let syncsEachFile: Bool
    }
}

/// Writes the members of the archives into directories: the plain format.
///
/// Nothing outside of the roots is touched, whatever the server sends. Symbolic links are created only as
/// `pg_tblspc/OID`, for announced tablespaces, and lead to the directories chosen here.
struct DirectorySink: TarSink {
    typealias Failure = UnderstudyError

    private let dataRoot: MemberRoot.Open
    /// Where the members below pg_wal go, if not into the data directory.
    private let walRoot: MemberRoot.Open?
    private let walName: StaticString
    private let rules: MemberRules
    /// The server's data_directory_mode.
    private let directoryMode: UInt16
    private let fileMode: UInt16
    private let premade: Set<String>
    /// The link target of each announced tablespace, by OID.
    private let tablespaceLinks: [UInt32: String]

    /// The OIDs of the tablespaces whose links have arrived.
    private(set) var linked: Set<UInt32> = []

    /// The root of the current archive.
    private var root: MemberRoot.Open
    private var filler: BatchFiller
    private var isFile = false
    /// The single directory at the top of a tablespace's archive.
    private var versionDirectory: [UInt8]?
    /// Files that are executable on the server but not here.
    private(set) var executables = TruncatedList()
    /// The number of archives whose directories may still be open because writes to them are pending.
    private var archivesUnderWay = 0

    private static let mostArchivesUnderWay = 8

    /// - Parameters:
    ///   - rules: The members that the server never sends.
    ///   - directoryMode: 0700 or 0750: the permissions that directories may have; files may have the same without x.
    init(
        dataRoot: MemberRoot, walRoot: MemberRoot?, premade: Set<String>, version: ServerVersion, rules: MemberRules,
        directoryMode: UInt16, tablespaceLinks: [UInt32: String], filler: BatchFiller
    ) throws(UnderstudyError) {
        self.dataRoot = try dataRoot.open()
        self.walRoot = if let walRoot { try walRoot.open() } else { nil }
        walName = version.usesXlogName ? "pg_xlog" : "pg_wal"
        self.rules = rules
        self.directoryMode = directoryMode
        fileMode = directoryMode & 0o666
        self.premade = premade
        self.tablespaceLinks = tablespaceLinks
        root = self.dataRoot
        self.filler = filler
    }

    /// Begins an archive: the members that follow go to `root`.
    mutating func beginArchive(_ root: MemberRoot) throws(UnderstudyError) {
        if archivesUnderWay == Self.mostArchivesUnderWay {
            try filler.drain()
            archivesUnderWay = 0
        }
        archivesUnderWay += 1
        versionDirectory = nil
        self.root = try root.open()
    }

    mutating func drain() throws(UnderstudyError) {
        try filler.drain()
    }

    func failure(_ error: BackupFormatError) -> UnderstudyError {
        UnderstudyError(error)
    }

    mutating func begin(_ entry: TarEntry) throws(UnderstudyError) {
        isFile = false
        try check(entry)
        switch entry.kind {
        case .file:
            isFile = true
            try filler.open(file(entry))
        case .directory:
            do throws(FileIOError) { try makeDirectory(entry) } catch { throw UnderstudyError(error) }
        case .symbolicLink:
            guard root.manifestPrefix == nil, let place = tablespacePlace(entry.path), place.isItself,
                let target = tablespaceLinks[place.oid]
            else {
                throw UnderstudyError(
                    .protocolViolation, "server sent symbolic link \"\(entry.path)\", which is no tablespace",
                    detail: "Symbolic links are made only for the tablespaces that the server has announced.")
            }
            do throws(FileIOError) {
                try dataRoot.directory.makeSymbolicLink(RelativePath(bytes: entry.path.bytes), to: target)
            } catch { throw UnderstudyError(error) }
            linked.insert(place.oid)
        }
    }

    mutating func content(_ bytes: RawSpan) throws(UnderstudyError) {
        try filler.append(bytes)
    }

    mutating func end() throws(UnderstudyError) {
        if isFile { filler.close() }
    }

    // MARK: - Checks

    private mutating func check(_ entry: TarEntry) throws(UnderstudyError) {
        let isOfTablespace = root.manifestPrefix != nil
        if let flaw = rules.flaw(of: entry.path, entry.kind, in: isOfTablespace ? .tablespace : .data) {
            throw UnderstudyError(.protocolViolation, "server sent \"\(entry.path)\" unasked", detail: flaw)
        }
        guard isOfTablespace else { return try checkLink(entry) }
        let directory = rules.versionDirectory(of: entry.path)
        if let versionDirectory, versionDirectory != directory {
            throw UnderstudyError(
                .protocolViolation,
                "server sent \"\(entry.path)\" in the archive of a tablespace that has directory \"\(MemberPath.escaped(versionDirectory))\"",
                detail: "A server sends its own directory of a tablespace alone.")
        }
        versionDirectory = directory
    }

    /// At the path of a tablespace that lies elsewhere, only its link may come; at that of an in-place one, its
    /// directory.
    private func checkLink(_ entry: TarEntry) throws(UnderstudyError) {
        guard let (oid, isAtPlace) = tablespacePlace(entry.path) else { return }
        if tablespaceLinks[oid] != nil {
            if isAtPlace, case .symbolicLink = entry.kind { return }
        } else if premade.contains("pg_tblspc/\(oid)") {
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
        if root.manifestPrefix == nil, let path = entry.path.string, premade.contains(path) { return }
        let (root, relative) = route(entry.path)
        guard let relative else { return }
        try root.directory.makeDirectory(relative, mode: entry.mode & directoryMode)
    }

    private mutating func file(_ entry: TarEntry) throws(UnderstudyError) -> FileToWrite {
        let (root, relative) = route(entry.path)
        guard let relative else {
            throw UnderstudyError(.protocolViolation, "server sent a file in place of directory \"\(entry.path)\"")
        }
        let path = root.manifestPrefix.map { $0.appending(entry.path) } ?? entry.path
        if entry.mode & 0o100 != 0 { executables.note("\"\(path)\"") }
        return FileToWrite(
            directory: root.directory, relative: relative, manifestPath: path,
            // Set-user-ID bits and permissions for others do not belong in a data directory.
            mode: entry.mode & fileMode, size: entry.size, sync: root.syncsEachFile)
    }

    /// The root and the path in it; nil for the root itself.
    private func route(_ path: MemberPath) -> (MemberRoot.Open, RelativePath?) {
        guard root.manifestPrefix == nil, let walRoot, isOfWALDirectory(path) else {
            return (root, RelativePath(bytes: path.bytes))
        }
        let rest = path.bytes.dropFirst(walName.utf8CodeUnitCount + 1)
        return (walRoot, rest.isEmpty ? nil : RelativePath(bytes: rest))
    }

    private func isOfWALDirectory(_ path: MemberPath) -> Bool {
        root.manifestPrefix == nil && (path.isBeneath(walName) || path.string == "\(walName)")
    }

    /// The OID if the path is `pg_tblspc/OID` or beneath it, and whether it is that path itself.
    private func tablespacePlace(_ path: MemberPath) -> (oid: UInt32, isItself: Bool)? {
        let parent = "pg_tblspc" as StaticString
        guard path.isBeneath(parent) else { return nil }
        let rest = path.bytes.dropFirst(parent.utf8CodeUnitCount + 1)
        let name = rest.prefix { $0 != UInt8(ascii: "/") }
        // Only in the server's spelling.
        guard let oid = UInt32(String(decoding: name, as: UTF8.self)), "\(oid)".utf8.elementsEqual(name) else {
            return nil
        }
        return (oid, name.count == rest.count)
    }
}
