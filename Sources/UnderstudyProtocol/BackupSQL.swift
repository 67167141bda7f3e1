package import UnderstudyWAL

/// What a base backup over ordinary connections asks in SQL: the low-level backup interface, and the functions that list
/// and read the server's files.
///
/// Source: PostgreSQL manual, "Making a Base Backup Using the Low Level API", "Generic File Access Functions".
package struct BackupSQL: Sendable {
    package let version: ServerVersion

    package init(_ version: ServerVersion) {
        self.version = version
    }

    /// Rows of this size stay in the server's caches, and those of a megabyte take three times as long.
    package static let rowSize: UInt64 = 64 << 10

    var isRenamed: Bool { version.number >= 150_000 }
    private var startName: String { isRenamed ? "pg_backup_start" : "pg_start_backup" }
    private var stopName: String { isRenamed ? "pg_backup_stop" : "pg_stop_backup" }

    // MARK: - Start and stop

    /// Begins the backup, which lasts as long as the connection.
    package func start(label: String, fast: Bool) -> ReplicationQuery<LSN> {
        let arguments = "\(SQLText.literal(label)), \(fast)\(isRenamed ? "" : ", false")"
        return ReplicationQuery("SELECT \(startName)(\(arguments))::text") { rows throws(ProtocolError) in
            try Self.position(try rows.onlyRow(atLeast: 1, of: "pg_backup_start")[0])
        }
    }

    /// Ends the backup.
    ///
    /// - Parameter waits: Whether the server waits until the WAL is archived; servers of 9.6 always do.
    package func stop(waits: Bool) -> ReplicationQuery<StoppedBackup> {
        let arguments =
            switch version.number {
            case 150_000...: "\(waits)"
            case 100_000...: "false, \(waits)"
            default: "false"
            }
        let text = "SELECT lsn::text, labelfile, spcmapfile FROM \(stopName)(\(arguments))"
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            let row = try rows.onlyRow(atLeast: 3, of: "pg_backup_stop")
            guard let label = row[1], !label.isEmpty else {
                throw ProtocolError("server ended the backup without a backup_label")
            }
            return StoppedBackup(lsn: try Self.position(row[0]), label: label, tablespaceMap: row[2] ?? "")
        }
    }

    private static func position(_ text: String?) throws(ProtocolError) -> LSN {
        guard let text, let lsn = LSN(text) else {
            throw ProtocolError("server gave \"\(text ?? "NULL")\" as a WAL position of the backup")
        }
        return lsn
    }

    // MARK: - Files

    /// The tablespaces outside of the data directory's own: OID, place, and no size, as ``AnnouncedArchive`` decodes them;
    /// and the data directory.
    package var tablespaces: ReplicationQuery<[AnnouncedArchive]> {
        // 1663 and 1664 are pg_default and pg_global.
        let text = """
            SELECT oid::text, pg_tablespace_location(oid), NULL::text FROM pg_tablespace WHERE oid NOT IN (1663, 1664) \
            UNION ALL SELECT NULL, NULL, NULL
            """
        return ReplicationQuery(text) { rows throws(ProtocolError) in try AnnouncedArchive.decode(rows) }
    }

    /// stats_temp_directory and data_directory: servers before 15, and roles that may read all settings.
    package var statisticsPlaces: ReplicationQuery<(setting: String, dataDirectory: String)> {
        let text = "SELECT current_setting('stats_temp_directory'), current_setting('data_directory')"
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            let row = try rows.onlyRow(atLeast: 2, of: "current_setting")
            return (row[0] ?? "", row[1] ?? "")
        }
    }

    /// How many pages a file of a relation has at most.
    package var pagesPerSegment: ReplicationQuery<UInt32> {
        ReplicationQuery("SELECT setting FROM pg_settings WHERE name = 'segment_size'") { rows throws(ProtocolError) in
            let text = try rows.onlyRow(atLeast: 1, of: "pg_settings")[0]
            guard let pages = text.flatMap({ UInt32($0) }), pages > 0 else {
                throw ProtocolError("server has an unexpected segment size \"\(text ?? "NULL")\"")
            }
            return pages
        }
    }

    /// Copies one row for each entry of a directory that is still there: its name, its size, whether it is a directory
    /// (1 or 0), and when it was last written, in seconds since 1970-01-01 00:00:00 UTC.
    ///
    /// - Parameters:
    ///   - directory: Relative to the data directory; `.` for itself.
    ///   - name: The only entry that is meant; nil for all.
    ///   - readsFiles: Whether a byte of each file is read, so that one which cannot be read fails the query. Of a file
    ///     without bytes nothing is: a pipe would wait for a writer.
    package func list(_ directory: String, only name: String? = nil, readsFiles: Bool = false) -> String {
        let path = directory == "." ? "name" : "\(SQLText.literal(directory + "/")) || name"
        let names =
            name.map { "(VALUES (\(SQLText.literal($0))::text)) AS entry (name)" } ?? Self.entries(of: directory)
        let isReadable =
            readsFiles
            ? " AND CASE WHEN isdir OR size = 0 THEN true ELSE pg_read_binary_file(\(path), 0, 1, true) IS NOT NULL END"
            : ""
        return """
            COPY (SELECT name, size, isdir::int4, extract(epoch FROM modification)::int8 FROM \(names), \
            LATERAL pg_stat_file(\(path), true) WHERE size IS NOT NULL\(isReadable)) TO STDOUT (FORMAT binary)
            """
    }

    /// Copies the name of each entry of a directory.
    package func names(in directory: String) -> String {
        "COPY (SELECT name FROM \(Self.entries(of: directory))) TO STDOUT (FORMAT binary)"
    }

    private static func entries(of directory: String) -> String {
        "pg_ls_dir(\(SQLText.literal(directory)), true, false) AS name"
    }

    /// Looks at paths, and copies a row of one column for each. Fails if the server cannot look at one, for another reason than
    /// that nothing is there.
    package func probe(_ paths: [String]) -> String {
        let values = paths.map { "(\(SQLText.literal($0)))" }.joined(separator: ", ")
        return """
            COPY (SELECT size FROM (VALUES \(values)) AS probe (path), LATERAL pg_stat_file(path, true)) TO STDOUT \
            (FORMAT binary)
            """
    }

    /// Copies ranges of files: rows of the range's index, the offset, and the bytes from there on: ``rowSize`` of them, or
    /// up to the range's end; less at the end of the file, and NULL if there is no such file. In this order.
    package func read(_ ranges: [FileRange]) -> String {
        let values = ranges.enumerated().map { index, range in
            "(\(index), \(SQLText.literal(range.path)), \(range.offset)::int8, \(range.end)::int8)"
        }
        return """
            COPY (SELECT i::int4, o, pg_read_binary_file(p, o, least(\(Self.rowSize), e - o), true) \
            FROM (VALUES \(values.joined(separator: ", "))) AS range (i, p, b, e), \
            LATERAL generate_series(b, e - 1, \(Self.rowSize)) AS o) TO STDOUT (FORMAT binary)
            """
    }

    package struct FileRange: Sendable {
        /// Relative to the data directory.
        package var path: String
        package var offset: UInt64
        package var end: UInt64

        package init(path: String, offset: UInt64, end: UInt64) {
            self.path = path
            self.offset = offset
            self.end = end
        }
    }
}

/// The server's answer to the end of a backup.
package struct StoppedBackup: Sendable {
    /// The position up to which the backup needs WAL.
    package var lsn: LSN
    /// The content of `backup_label`.
    package var label: String
    /// The content of `tablespace_map`; empty without tablespaces.
    package var tablespaceMap: String
}
