import UnderstudyBackupFormat
import UnderstudyProtocol

/// The names that a server leaves out of a base backup, by its version. This is the only list of them: `MemberRules` refuses
/// what no server sends, and `BackupExclusions` leaves out what no server would have sent.
///
/// Source: the server's basebackup.c by version, and recordings of each version.
struct ExcludedNames: Sendable {
    typealias Name = ArraySlice<UInt8>

    let version: ServerVersion
    /// Left out at any depth, with everything below them.
    private let names: [[UInt8]]
    private let prefixes: [[UInt8]]
    /// Like `names` and `prefixes`, but only later releases of the version leave them out.
    private let namesLater: [[UInt8]]
    private let prefixesLater: [[UInt8]]
    /// Like `names`, but only at the top of the data directory.
    private let namesAtTop: [[UInt8]]
    /// Directories that are sent without their contents.
    private let emptied: [[UInt8]]
    private let emptiesEverywhere: Bool
    /// The name of a tablespace's directory before its catalog version: `PG_15_`.
    let tablespacePrefix: [UInt8]

    init(version: ServerVersion) {
        func from(_ number: Int, _ names: String...) -> [[UInt8]] {
            version.number >= number ? names.map { Array($0.utf8) } : []
        }
        self.version = version
        names =
            from(90300, "backup_label") + from(90500, "tablespace_map")
            + from(100_000, "postmaster.pid", "postmaster.opts", "postgresql.auto.conf.tmp", "current_logfiles.tmp")
            + from(110_000, "pg_internal.init") + from(130_000, "backup_manifest") + from(170_000, ".DS_Store")
        prefixes = from(90300, "pgsql_tmp") + from(130_000, "pg_internal.init")
        // Seen with 15.18 and 16.15.
        namesLater = from(150_000, ".DS_Store")
        // pg_internal.init.NUMBER, which the first releases of 11 and 12 send.
        prefixesLater = from(110_000, "pg_internal.init")
        namesAtTop = from(90300, "postmaster.pid", "postmaster.opts")
        emptied =
            from(90400, "pg_replslot", "pg_stat_tmp")
            + from(100_000, "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_subtrans")
        emptiesEverywhere = version.number >= 100_000
        tablespacePrefix = Array("PG_\(version.major)_".utf8)
    }

    /// Whether every release of the version leaves out a file or directory of this name.
    ///
    /// - Parameter isAtTop: Whether it lies in the data directory itself.
    func neverSend(_ name: Name, isAtTop: Bool) -> Bool {
        // Most names are numbers; none of the listed names begins with a digit.
        if Self.beginsWithDigit(name) { return false }
        return Self.has(names, name) || prefixes.contains { name.starts(with: $0) }
            || isAtTop && Self.has(namesAtTop, name)
    }

    /// Whether the latest release of the version leaves out a file or directory of this name.
    ///
    /// - Parameter isAtTop: As for `neverSend`.
    func leaveOut(_ name: Name, isAtTop: Bool) -> Bool {
        if neverSend(name, isAtTop: isAtTop) { return true }
        if Self.beginsWithDigit(name) { return false }
        return Self.has(namesLater, name) || prefixesLater.contains { name.starts(with: $0) }
    }

    /// Whether a directory of this name is sent without its contents.
    func empty(_ name: Name, isAtTop: Bool) -> Bool {
        (isAtTop || emptiesEverywhere) && !Self.beginsWithDigit(name) && Self.has(emptied, name)
    }

    /// Whether relations of sessions and of the time before a crash are left out of a database's directory: temporary ones,
    /// and the forks of unlogged ones but for the init fork.
    var leavesOutRelations: Bool { version.number >= 110_000 }

    /// The directories that the WAL directory is sent with; both empty.
    var directoriesOfWAL: [String] {
        ["archive_status"] + (version.number >= 170_000 ? ["summaries"] : [])
    }

    /// Whether it is the name of a tablespace's directory for servers of this version: `PG_15_202209061`.
    func isVersionDirectory(_ name: Name) -> Bool {
        name.starts(with: tablespacePrefix) && Self.isNumber(name.dropFirst(tablespacePrefix.count))
    }

    static func has(_ names: [[UInt8]], _ name: Name) -> Bool {
        names.contains { $0.elementsEqual(name) }
    }

    static func isNumber(_ name: Name) -> Bool {
        !name.isEmpty && name.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    private static func beginsWithDigit(_ name: Name) -> Bool {
        name.first.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? false
    }
}
