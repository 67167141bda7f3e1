package import UnderstudyBackupFormat
package import UnderstudyProtocol

/// What a backup over ordinary connections leaves out, as BASE_BACKUP of the same version does.
///
/// The names are judged a directory at a time, as the server lists it. pg_control is among what is kept; that it has to be
/// read last, and the backup_label and tablespace_map of the backup itself, are not a matter of names. Neither are symbolic
/// links outside of pg_tblspc and special files, which the server skips.
///
/// Source: the server's basebackup.c by version, sendDir and sendTablespace.
package struct BackupExclusions: Sendable {
    /// What a directory's path is relative to.
    package enum Root: Sendable {
        case data
        /// The directory of a tablespace for servers of this version: `PG_15_202209061`.
        case tablespace
    }

    package enum Decision: Sendable {
        case keep
        /// Left out with everything below it.
        case leaveOut
        /// A directory that is made and not entered. A file of that name, which no server has, is left out.
        case makeEmpty
    }

    private let names: ExcludedNames
    private let statisticsDirectory: MemberPath?

    /// - Parameter statisticsDirectory: stats_temp_directory, if it lies inside of the data directory: servers up to 14 have
    ///   that setting. See `directory(ofSetting:in:)`.
    package init(version: ServerVersion, statisticsDirectory: MemberPath? = nil) {
        names = ExcludedNames(version: version)
        self.statisticsDirectory = statisticsDirectory
    }

    /// What of a directory's entries is kept, in the order of the names.
    ///
    /// - Parameters:
    ///   - entries: All names in the directory: which forks of a relation are kept depends on the others.
    ///   - directory: Relative to `root`; nil for the root itself.
    package func decide(
        _ entries: some Collection<ArraySlice<UInt8>>, in directory: MemberPath?, of root: Root
    ) -> [Decision] {
        let isAtTop = directory == nil && root == .data
        let rules = relationRules(in: directory, of: root)
        var unlogged: Set<UInt32> = []
        if rules != .none {
            for name in entries {
                // Most names are of main forks.
                guard name.last == UInt8(ascii: "t"), let file = RelationFileName(parsing: name) else { continue }
                if file.fork == .initial, file.session == nil, file.segment == 0 { unlogged.insert(file.number) }
            }
        }
        return entries.map { name in
            if names.leaveOut(name, isAtTop: isAtTop) { return .leaveOut }
            if rules != .none, let file = RelationFileName(parsing: name) {
                if file.session != nil {
                    if rules == .database { return .leaveOut }
                } else if file.fork != .initial, unlogged.contains(file.number) {
                    return .leaveOut
                }
            }
            let isWALDirectory = isAtTop && name.elementsEqual(names.version.walDirectoryName.utf8)
            if isWALDirectory || names.empty(name, isAtTop: isAtTop) { return .makeEmpty }
            return isStatisticsDirectory(name, in: directory, of: root) ? .makeEmpty : .keep
        }
    }

    /// The directories that are made in the WAL directory, both empty: archive_status, and from 17 summaries.
    package var directoriesOfWAL: [String] { names.directoriesOfWAL }

    // MARK: - Relations

    private enum RelationRules {
        case none, global, database
    }

    /// A database's directory has a number as its name, in base or in a tablespace's directory, which may itself lie in
    /// pg_tblspc. From 17 on, the server treats files in global as relations, too, but knows no temporary ones there.
    private func relationRules(in directory: MemberPath?, of root: Root) -> RelationRules {
        guard names.leavesOutRelations, let directory else { return .none }
        let parts = directory.bytes.split(separator: UInt8(ascii: "/"))
        if root == .data, parts.count == 1, parts[0].elementsEqual("global".utf8) {
            return names.version.number >= 170_000 ? .global : .none
        }
        guard let last = parts.last, ExcludedNames.isNumber(last) else { return .none }
        switch (root, parts.count) {
        case (.tablespace, 1): return .database
        case (.data, 2): return parts[0].elementsEqual("base".utf8) ? .database : .none
        case (.data, 4):
            let isInPlace = parts[0].elementsEqual("pg_tblspc".utf8) && names.isVersionDirectory(parts[2])
            return isInPlace ? .database : .none
        default: return .none
        }
    }

    // MARK: - Temporary statistics

    private func isStatisticsDirectory(_ name: ArraySlice<UInt8>, in directory: MemberPath?, of root: Root) -> Bool {
        guard let statisticsDirectory, root == .data else { return false }
        guard let directory else { return name.elementsEqual(statisticsDirectory.bytes) }
        return (directory.bytes + [UInt8(ascii: "/")] + name) == statisticsDirectory.bytes
    }

    /// The path of stats_temp_directory relative to the data directory; nil if it lies elsewhere.
    ///
    /// - Parameters:
    ///   - setting: SHOW stats_temp_directory: absolute, or relative to the data directory.
    ///   - dataDirectory: SHOW data_directory.
    package static func directory(ofSetting setting: String, in dataDirectory: String) -> MemberPath? {
        var path = Array(setting.utf8)
        if path.first == UInt8(ascii: "/") {
            let parent = Array(dataDirectory.utf8) + [UInt8(ascii: "/")]
            guard path.starts(with: parent) else { return nil }
            path.removeFirst(parent.count)
        }
        return try? MemberPath(path)
    }
}
