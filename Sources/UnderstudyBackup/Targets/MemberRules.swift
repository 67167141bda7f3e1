import UnderstudyBackupFormat
import UnderstudyProtocol
import UnderstudyWAL

/// The archive members that a server never sends, by that server's own rules.
///
/// A server leaves files out of a base backup that belong to its own process or are created anew at its start. A member
/// with such a name is refused: a server started here, or the next run, would take it for a file made here. Names that
/// only some versions leave out are refused only for these; a name that a version is not known to leave out passes.
///
/// Source: the server's basebackup.c by version, and recordings of each version.
struct MemberRules: Sendable {
    /// The archive that contains the member.
    enum Archive: Sendable {
        case data, tablespace
    }

    private typealias Name = ExcludedNames.Name

    private let version: ServerVersion
    /// Whether the server was asked to include the WAL.
    private let includesWAL: Bool
    /// Whether the server was asked for a tablespace_map, in place of links.
    private let hasTablespaceMap: Bool
    private let walName: [UInt8]
    private let names: ExcludedNames

    init(version: ServerVersion, includesWAL: Bool, hasTablespaceMap: Bool = false) {
        self.version = version
        self.includesWAL = includesWAL
        self.hasTablespaceMap = hasTablespaceMap
        walName = Array(version.walDirectoryName.utf8)
        names = ExcludedNames(version: version)
    }

    /// Why no server of this version sends the member, as a sentence; nil if a server may send it.
    func flaw(of path: MemberPath, _ kind: TarEntry.Kind, in archive: Archive) -> String? {
        let parts = path.bytes.split(separator: UInt8(ascii: "/"))
        let server = "A server of version \(version.major)"
        for (depth, name) in parts.enumerated() {
            let isAtTop = depth == 0 && archive == .data
            if names.neverSend(name, isAtTop: isAtTop), !isOwnLabel(parts, kind, archive) {
                return "\(server) leaves \"\(MemberPath.escaped(name))\" out of a base backup."
            }
            if depth + 1 < parts.count, names.empty(name, isAtTop: isAtTop) {
                return "\(server) sends directory \"\(MemberPath.escaped(name))\" without its contents."
            }
        }
        if let flaw = kindFlaw(of: parts, kind, in: archive) { return flaw }
        if isTemporaryRelation(parts, in: archive) { return "\(server) leaves temporary tables out of a base backup." }
        switch archive {
        case .tablespace:
            guard !isOfVersionDirectory(parts, kind) else { return nil }
            return
                "\(server) sends of a tablespace only directory \"\(String(decoding: names.tablespacePrefix, as: UTF8.self))CATALOGVERSION\"."
        case .data:
            guard parts[0].elementsEqual(walName), !isOfWALDirectory(parts.dropFirst(), kind) else { return nil }
            return includesWAL
                ? "\(server) sends of its WAL directory only segments, histories and their status files."
                : "\(server) sends its WAL directory without files unless it is asked for them."
        }
    }

    /// Whether it is the backup_label or the tablespace_map that the server writes for this backup.
    private func isOwnLabel(_ parts: [Name], _ kind: TarEntry.Kind, _ archive: Archive) -> Bool {
        archive == .data && kind == .file && parts.count == 1
            && (parts[0].elementsEqual("backup_label".utf8)
                || hasTablespaceMap && parts[0].elementsEqual("tablespace_map".utf8))
    }

    /// Known files must arrive as files: anything else in their place would stop the copy's server, or be read.
    private func kindFlaw(of parts: [Name], _ kind: TarEntry.Kind, in archive: Archive) -> String? {
        if isKnownFile(parts, in: archive) || isNumberedFile(parts, in: archive) {
            return kind == .file ? nil : "A server has a file there."
        }
        guard archive == .data, parts.count == 1, ExcludedNames.has(Self.directoriesAtTop, parts[0]), kind != .directory
        else {
            return nil
        }
        return "A server has a directory there."
    }

    private func isKnownFile(_ parts: [Name], in archive: Archive) -> Bool {
        if archive == .data, parts.count == 1 { return ExcludedNames.has(Self.filesAtTop, parts[0]) }
        if archive == .data, parts.count == 2, parts[0].elementsEqual("global".utf8) {
            return ExcludedNames.has(Self.globalFiles, parts[1])
        }
        let isOfDatabase = archive == .tablespace || parts[0].elementsEqual("base".utf8)
        return parts.count == 3 && isOfDatabase && ExcludedNames.has(Self.databaseFiles, parts[2])
    }

    /// Whether the name begins with a digit, in a directory of relations or transaction status: on every server, a
    /// file.
    private func isNumberedFile(_ parts: [Name], in archive: Archive) -> Bool {
        guard let first = parts.last?.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        if archive == .tablespace { return parts.count == 3 }
        return switch parts.count {
        case 2: ExcludedNames.has(Self.numberedFilesIn, parts[0])
        case 3: parts[0].elementsEqual("base".utf8) || parts[0].elementsEqual("pg_multixact".utf8)
        default: false
        }
    }

    private static let numberedFilesIn = [
        "global", "pg_clog", "pg_commit_ts", "pg_notify", "pg_serial", "pg_subtrans", "pg_twophase", "pg_xact",
    ].map { Array($0.utf8) }

    private static let filesAtTop = [
        "PG_VERSION", "backup_label", "backup_manifest", "pg_hba.conf", "pg_ident.conf", "postgresql.auto.conf",
        "postgresql.conf", "recovery.conf", "recovery.done", "recovery.signal", "standby.signal", "tablespace_map",
    ].map { Array($0.utf8) }
    private static let directoriesAtTop = [
        "base", "global", "pg_clog", "pg_commit_ts", "pg_dynshmem", "pg_logical", "pg_multixact", "pg_notify",
        "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat", "pg_stat_tmp", "pg_subtrans", "pg_tblspc", "pg_twophase",
        "pg_xact",
    ].map { Array($0.utf8) }
    private static let globalFiles = ["pg_control", "pg_filenode.map"].map { Array($0.utf8) }
    private static let databaseFiles = ["PG_VERSION", "pg_filenode.map"].map { Array($0.utf8) }

    // MARK: - Temporary tables

    /// Whether it is a file of a temporary table, as `base/5/t3_16384_fsm.1`: left out from 11 on.
    private func isTemporaryRelation(_ parts: [Name], in archive: Archive) -> Bool {
        guard names.leavesOutRelations, parts.count == 3, parts[2].first == UInt8(ascii: "t"),
            archive == .tablespace || parts[0].elementsEqual("base".utf8), ExcludedNames.isNumber(parts[1])
        else { return false }
        return RelationFileName(parsing: parts[2])?.session != nil
    }

    // MARK: - Directories with rules of their own

    /// Whether it is `PG_15_202209061`, or in it. For the catalog version see ``versionDirectory(of:)``.
    private func isOfVersionDirectory(_ parts: [Name], _ kind: TarEntry.Kind) -> Bool {
        names.isVersionDirectory(parts[0]) && (parts.count > 1 || kind == .directory)
    }

    /// The first name in a tablespace member's path: an archive has only one.
    func versionDirectory(of path: MemberPath) -> [UInt8] {
        Array(path.bytes.prefix { $0 != UInt8(ascii: "/") })
    }

    private func isOfWALDirectory(_ parts: ArraySlice<Name>, _ kind: TarEntry.Kind) -> Bool {
        guard let first = parts.first, let last = parts.last else { return kind == .directory }
        let name = String(decoding: last, as: UTF8.self)
        let isStatus = first.elementsEqual("archive_status".utf8)
        switch (kind, parts.count) {
        case (.directory, 1):
            if version >= .firstUnknown { return true }
            return names.directoriesOfWAL.contains { first.elementsEqual($0.utf8) }
        case (.file, 1): return includesWAL && Self.isWALName(name)
        case (.file, 2): return includesWAL && isStatus && name.hasSuffix(".done") && Self.isWALName(name.dropLast(5))
        default: return false
        }
    }

    private static func isWALName(_ name: some StringProtocol) -> Bool {
        if WALSegmentName.isSegmentName(name) { return true }
        // Like a segment name without its last two numbers.
        return name.hasSuffix(".history") && WALSegmentName.isSegmentName(name.dropLast(8) + "0000000000000000")
    }
}
