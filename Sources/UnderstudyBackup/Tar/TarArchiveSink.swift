import Glibc
import UnderstudyBackupFormat
import UnderstudyCompression
package import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// What the feeder of archives must know of the backup.
struct TarLayout: Sendable {
    var version: ServerVersion
    var rules: MemberRules
    /// 0700 or 0750: the permissions that directories may have; files may have the same without x.
    var directoryMode: UInt16
    /// The mode of files that are added.
    var fileMode: UInt16
    /// The modification time of files that are added: seconds since 1970-01-01 00:00:00 UTC.
    var now: Int64
    /// The OIDs of the announced tablespaces.
    var tablespaces: Set<UInt32>
    /// Takes the member that goes out last; nil if none does.
    var held: HeldMember?
    var edits: TarEdits
    /// Whose the members are where the source cannot tell.
    var owner: BaseBackup.Owner
    /// How archives are compressed, here or on the server.
    private let compression: BaseBackup.ArchiveCompression

    init(
        _ server: ServerFacts, _ options: BaseBackup.Options, now: Int64, tablespaces: Set<UInt32>,
        held: HeldMember? = nil, edits: TarEdits
    ) {
        compression = options.compression
        version = server.version
        rules = MemberRules(version: server.version, includesWAL: options.wal == .fetch, hasTablespaceMap: true)
        directoryMode = server.directoryMode
        fileMode = server.fileMode
        self.now = now
        self.tablespaces = tablespaces
        self.held = held
        self.edits = edits
        owner = options.owner ?? BaseBackup.Owner(user: geteuid(), group: getegid())
    }

    /// What the server compressed is kept, unless something has to be put into it.
    func output(_ archive: AnnouncedArchive) -> TarOutput.Archive {
        let isChanged = held != nil || (archive.oid == nil && !edits.isEmpty)
        return TarOutput.Archive(
            name: TarNames.temporary(TarNames.archive(archive, compression.method)), size: archive.size ?? 0,
            isKept: compression.methodOnServer != nil && !isChanged)
    }
}

/// The names of the files of a backup in tar format.
enum TarNames {
    static func archive(_ archive: AnnouncedArchive, _ method: Compression.Method?) -> String {
        (archive.oid.map { "\($0).tar" } ?? "base.tar") + method.fileSuffix
    }

    /// The name until the backup is complete.
    static func temporary(_ name: String) -> RelativePath { RelativePath(name + ".tmp") }
}

/// The tar format: one writer keeps the server's order, or that of the feeders' turns.
package final class TarArchiveSink: BackupSink {
    private let layout: TarLayout
    private let pool: WritePool<TarOutput>
    private let turns: WriteTurns<TarOutput>?
    private let edits: Monitor<TarEdits>
    private let writers: [OwnThread]

    /// - Parameter turns: If given, several feeders may take turns.
    init(
        _ layout: TarLayout, pool: WritePool<TarOutput>, turns: WriteTurns<TarOutput>? = nil
    ) throws(UnderstudyError) {
        self.layout = layout
        self.pool = pool
        self.turns = turns
        edits = Monitor(layout.edits)
        writers = try pool.start()
    }

    package var needsServerOrder: Bool { true }
    package var takesTurns: Bool { turns != nil }

    /// Why the writer failed, if it did.
    var failure: UnderstudyError? { pool.failure }

    package func makeFeeder() throws(UnderstudyError) -> some MemberFeeder {
        TarFeeder(layout, edits, filler: BatchFiller(pool: pool, turns: turns), takesTurns: takesTurns)
    }

    package func close() {
        pool.close()
        for writer in writers { writer.join() }
    }
}

/// Passes the members of the archives on into archives here, with the edits made on the way.
struct TarFeeder: MemberFeeder {
    typealias Failure = UnderstudyError

    private let layout: TarLayout
    private var filler: BatchFiller<TarOutput>
    private var check: MemberCheck
    /// What has come of the archive; nil if others feed it, too. Then the source sees to its order.
    private var tree: ArchiveTree?
    /// Shared by all feeders.
    private let edits: Monitor<TarEdits>
    private let takesTurns: Bool
    private var turn: BackupTurn?
    /// Whether something has been written in this turn.
    private var hasWritten = false
    /// Whether the open file goes on in another turn.
    private var goesOn = false
    private var archive: AnnouncedArchive?
    private var output: TarOutput.Archive?
    /// `pg_tblspc/OID`; nil for the data directory.
    private var manifestPrefix: MemberPath?
    /// Whether the current member is held back.
    private var isHeld = false
    /// The last member of the data directory: what is added has the same owner.
    private var last: TarEntry?

    init(
        _ layout: TarLayout, _ edits: Monitor<TarEdits>, filler: BatchFiller<TarOutput>, takesTurns: Bool
    ) {
        self.layout = layout
        self.edits = edits
        self.filler = filler
        self.takesTurns = takesTurns
        check = MemberCheck(rules: layout.rules)
    }

    mutating func beginTurn(_ turn: BackupTurn) {
        self.turn = turn
        hasWritten = false
        filler.beginTurn(turn.number)
        precondition(!turn.isLast || filler.isDue, "a turn was left out")
    }

    mutating func endTurn() throws(UnderstudyError) {
        if turn?.isLast == true { try endArchive() }
        // An archive of a tablespace may have no member at all.
        if !hasWritten, let output { try filler.touch(.init(archive: output, header: nil)) }
        filler.endTurn()
        turn = nil
    }

    mutating func beginArchive(_ archive: AnnouncedArchive) throws(UnderstudyError) {
        if !takesTurns { try endArchive() }
        self.archive = archive
        output = layout.output(archive)
        check.beginArchive(isOfTablespace: archive.oid != nil)
        tree = takesTurns ? nil : ArchiveTree()
        manifestPrefix = try archive.oid.map { oid throws(UnderstudyError) in
            do throws(MemberPath.Flaw) { return try MemberPath("pg_tblspc/\(oid)") } catch {
                throw UnderstudyError(.protocolViolation, "tablespace \(oid): \(error.rawValue)")
            }
        }
    }

    mutating func drain() throws(UnderstudyError) {
        if !takesTurns { try endArchive() }
        try filler.drain()
    }

    mutating func begin(_ entry: TarEntry) throws(UnderstudyError) {
        try check.check(entry)
        if let flaw = tree?.add(entry) {
            throw UnderstudyError(
                .protocolViolation, "server sent \"\(entry.path)\", which cannot stand in its archive", detail: flaw)
        }
        var entry = entry
        if takesTurns { (entry.user, entry.group) = (layout.owner.user, layout.owner.group) }
        switch entry.kind {
        case .file: entry.mode &= layout.directoryMode & 0o666
        case .directory: entry.mode &= layout.directoryMode
        case .symbolicLink:
            guard !layout.version.hasTablespaceMap, manifestPrefix == nil, let place = entry.path.tablespacePlace,
                place.isItself, layout.tablespaces.contains(place.oid)
            else {
                throw UnderstudyError(
                    .protocolViolation, "server sent symbolic link \"\(entry.path)\", which is no tablespace",
                    detail:
                        "Symbolic links come only from servers before 9.5, for tablespaces that they have announced.")
            }
        }
        if manifestPrefix == nil { last = entry }
        isHeld = layout.held != nil && manifestPrefix == nil && entry.path.string == HeldMember.path
        if isHeld {
            // Compared with the manifest, and not written.
            try hold(entry)
            return try open(entry, .leftOut, isSent: true)
        }
        let isEdited = entry.kind == .file && manifestPrefix == nil
        let fate = isEdited ? edits.change { $0.fate(of: entry.path) } : .kept
        try open(entry, fate, isSent: entry.kind == .file)
    }

    /// The first piece begins the member, and the last one ends it.
    mutating func begin(_ entry: TarEntry, _ piece: FilePiece) throws(UnderstudyError) {
        if piece.offset == 0 {
            try begin(entry)
        } else {
            try check.check(entry)
            hasWritten = true
            try filler.resume()
        }
        goesOn = piece.range.upperBound < entry.size
    }

    mutating func content(_ bytes: RawSpan) throws(UnderstudyError) {
        if isHeld { layout.held?.append(bytes) }
        try filler.append(bytes)
    }

    mutating func end() throws(UnderstudyError) {
        if !goesOn { filler.close() }
        goesOn = false
    }

    mutating func keep(_ compressed: RawSpan) throws(UnderstudyError) {
        guard let output, output.isKept else { return }
        try filler.keep(compressed, in: .init(archive: output, header: nil))
    }

    private func hold(_ entry: TarEntry) throws(UnderstudyError) {
        let header: [UInt8]
        do throws(BackupFormatError) { header = try TarWriter.header(of: entry) } catch { throw UnderstudyError(error) }
        try layout.held?.begin(entry, header: header)
    }

    /// - Parameter isSent: Whether it is a file of the server's, which its manifest lists.
    private mutating func open(_ entry: TarEntry, _ fate: TarEdits.Fate, isSent: Bool) throws(UnderstudyError) {
        var written = entry, appended: [UInt8] = []
        if case .extended(let bytes) = fate {
            appended = bytes
            written.size += UInt64(bytes.count)
        }
        let output = output!
        let header: [UInt8]?
        do throws(BackupFormatError) {
            header = fate == .leftOut || output.isKept ? nil : try TarWriter.header(of: written)
        } catch {
            throw UnderstudyError(error)
        }
        hasWritten = true
        try filler.open(
            FileToWrite(
                manifestPath: isSent ? manifestPrefix.map { $0.appending(entry.path) } ?? entry.path : nil,
                size: entry.size, modificationTime: entry.modificationTime,
                place: .init(archive: output, header: header, appended: appended)))
    }

    /// Adds to the archive of the data directory what belongs behind the server's files.
    private mutating func endArchive() throws(UnderstudyError) {
        guard let archive = archive.take(), archive.oid == nil else { return }
        self.archive = archive
        for (name, content) in edits.read({ $0.additions }) {
            let path: MemberPath
            do throws(MemberPath.Flaw) { path = try MemberPath(name) } catch {
                throw UnderstudyError(.options, "file \"\(name)\": the path \(error.rawValue)")
            }
            // A server's file of that name was checked, and this one is ours: its content is not the manifest's.
            try open(
                TarEntry(
                    path: path, kind: .file, mode: layout.fileMode, modificationTime: layout.now, user: last?.user ?? 0,
                    group: last?.group ?? 0), .extended(content), isSent: false)
            filler.close()
        }
        self.archive = nil
    }
}
