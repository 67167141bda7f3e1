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

    private typealias Name = ArraySlice<UInt8>

    private let version: ServerVersion
    /// Whether the server was asked to include the WAL.
    private let includesWAL: Bool
    /// Whether the server was asked for a tablespace_map, in place of links.
    private let hasTablespaceMap: Bool
    private let walName: [UInt8]
    /// `PG_15_`, before the catalog version.
    private let tablespacePrefix: [UInt8]
    /// Left out at any depth, with everything below them.
    private let names: [[UInt8]]
    private let prefixes: [[UInt8]]
    /// Like `names`, but only at the top of the data directory.
    private let namesAtTop: [[UInt8]]
    /// Directories that are sent without their contents.
    private let emptied: [[UInt8]]
    private let emptiesEverywhere: Bool

    init(version: ServerVersion, includesWAL: Bool, hasTablespaceMap: Bool = false) {
        func from(_ number: Int, _ names: String...) -> [[UInt8]] {
            version.number >= number ? names.map { Array($0.utf8) } : []
        }
        self.version = version
        self.includesWAL = includesWAL
        self.hasTablespaceMap = hasTablespaceMap
        walName = Array(version.walDirectoryName.utf8)
        tablespacePrefix = Array("PG_\(version.major)_".utf8)
        names =
            from(90300, "backup_label") + from(90500, "tablespace_map")
            + from(100_000, "postmaster.pid", "postmaster.opts", "postgresql.auto.conf.tmp", "current_logfiles.tmp")
            + from(110_000, "pg_internal.init") + from(130_000, "backup_manifest") + from(170_000, ".DS_Store")
        // The first releases of 11 and 12 send pg_internal.init.NUMBER.
        prefixes = from(90300, "pgsql_tmp") + from(130_000, "pg_internal.init")
        namesAtTop = from(90300, "postmaster.pid", "postmaster.opts")
        emptied =
            from(90400, "pg_replslot", "pg_stat_tmp")
            + from(100_000, "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_subtrans")
        emptiesEverywhere = version.number >= 100_000
    }

    /// Why no server of this version sends the member, as a sentence; nil if a server may send it.
    func flaw(of path: MemberPath, _ kind: TarEntry.Kind, in archive: Archive) -> String? {
        let parts = path.bytes.split(separator: UInt8(ascii: "/"))
        let server = "A server of version \(version.major)"
        for (depth, name) in parts.enumerated() {
            let isAtTop = depth == 0 && archive == .data
            if isLeftOut(name, isAtTop: isAtTop), !isOwnLabel(parts, kind, archive) {
                return "\(server) leaves \"\(MemberPath.escaped(name))\" out of a base backup."
            }
            if depth + 1 < parts.count, isAtTop || emptiesEverywhere, Self.has(emptied, name) {
                return "\(server) sends directory \"\(MemberPath.escaped(name))\" without its contents."
            }
        }
        if let flaw = kindFlaw(of: parts, kind, in: archive) { return flaw }
        if isTemporaryRelation(parts, in: archive) { return "\(server) leaves temporary tables out of a base backup." }
        switch archive {
        case .tablespace:
            guard !isOfVersionDirectory(parts, kind) else { return nil }
            return
                "\(server) sends of a tablespace only directory \"\(String(decoding: tablespacePrefix, as: UTF8.self))CATALOGVERSION\"."
        case .data:
            guard parts[0].elementsEqual(walName), !isOfWALDirectory(parts.dropFirst(), kind) else { return nil }
            return includesWAL
                ? "\(server) sends of its WAL directory only segments, histories and their status files."
                : "\(server) sends its WAL directory without files unless it is asked for them."
        }
    }

    private static func has(_ names: [[UInt8]], _ name: Name) -> Bool {
        names.contains { $0.elementsEqual(name) }
    }

    private func isLeftOut(_ name: Name, isAtTop: Bool) -> Bool {
        // Most names are numbers; none of the listed names begins with a digit.
        if let first = name.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) { return false }
        return Self.has(names, name) || prefixes.contains { name.starts(with: $0) }
            || isAtTop && Self.has(namesAtTop, name)
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
        guard archive == .data, parts.count == 1, Self.has(Self.directoriesAtTop, parts[0]), kind != .directory else {
            return nil
        }
        return "A server has a directory there."
    }

    private func isKnownFile(_ parts: [Name], in archive: Archive) -> Bool {
        if archive == .data, parts.count == 1 { return Self.has(Self.filesAtTop, parts[0]) }
        if archive == .data, parts.count == 2, parts[0].elementsEqual("global".utf8) {
            return Self.has(Self.globalFiles, parts[1])
        }
        let isOfDatabase = archive == .tablespace || parts[0].elementsEqual("base".utf8)
        return parts.count == 3 && isOfDatabase && Self.has(Self.databaseFiles, parts[2])
    }

    /// Whether the name begins with a digit, in a directory of relations or transaction status: on every server, a
    /// file.
    private func isNumberedFile(_ parts: [Name], in archive: Archive) -> Bool {
        guard let first = parts.last?.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        if archive == .tablespace { return parts.count == 3 }
        return switch parts.count {
        case 2: Self.has(Self.numberedFilesIn, parts[0])
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
        guard version.number >= 110_000, parts.count == 3, parts[2].first == UInt8(ascii: "t"),
            archive == .tablespace || parts[0].elementsEqual("base".utf8), Self.isNumber(parts[1])
        else { return false }
        let segments = parts[2].dropFirst().split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let words = segments[0].split(separator: UInt8(ascii: "_"), omittingEmptySubsequences: false)
        guard segments.count == 1 || segments.count == 2 && Self.isNumber(segments[1]), (2...3).contains(words.count),
            Self.isNumber(words[0]), Self.isNumber(words[1])
        else { return false }
        return words.count == 2 || ["fsm", "vm", "init"].contains { words[2].elementsEqual($0.utf8) }
    }

    private static func isNumber(_ name: Name) -> Bool {
        !name.isEmpty && name.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    // MARK: - Directories with rules of their own

    /// Whether it is `PG_15_202209061`, or in it. For the catalog version see ``versionDirectory(of:)``.
    private func isOfVersionDirectory(_ parts: [Name], _ kind: TarEntry.Kind) -> Bool {
        guard parts[0].starts(with: tablespacePrefix), Self.isNumber(parts[0].dropFirst(tablespacePrefix.count)) else {
            return false
        }
        return parts.count > 1 || kind == .directory
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
            if isStatus { return true }
            if version >= .firstUnknown { return true }
            return version.number >= 170_000 && first.elementsEqual("summaries".utf8)
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
