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

    private var isRenamed: Bool { version.number >= 150_000 }
    private var startName: String { isRenamed ? "pg_backup_start" : "pg_start_backup" }
    private var stopName: String { isRenamed ? "pg_backup_stop" : "pg_stop_backup" }

    // MARK: - The session

    /// What may not depend on settings of the role or the database: no time-out, no translation of bytes, and only the
    /// server's own functions and operators.
    ///
    /// Source: PostgreSQL manual, "Client Connection Defaults".
    package var settings: String {
        var values = [
            ("search_path", "pg_catalog"), ("client_encoding", "SQL_ASCII"), ("standard_conforming_strings", "on"),
            ("statement_timeout", "0"), ("lock_timeout", "0"), ("bytea_output", "hex"),
        ]
        func from(_ number: Int, _ name: String, _ value: String) {
            if version.number >= number { values.append((name, value)) }
        }
        from(90600, "idle_in_transaction_session_timeout", "0")
        from(90600, "max_parallel_workers_per_gather", "0")
        from(110_000, "jit", "off")
        from(140_000, "idle_session_timeout", "0")
        from(170_000, "transaction_timeout", "0")
        let calls = values.map {
            "pg_catalog.set_config(\(SQLText.literal($0)), \(SQLText.literal($1)), false)"
        }
        return "SELECT \(calls.joined(separator: ", "))"
    }

    /// One row: the server process, when the server was started, its system's identifier, the role's name, and whether it
    /// is a superuser.
    package var identity: ReplicationQuery<BackupSessionFacts> {
        let text = """
            SELECT pg_backend_pid(), extract(epoch FROM pg_postmaster_start_time())::text, \
            (SELECT system_identifier::text FROM pg_control_system()), current_user, \
            (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
            """
        return ReplicationQuery(text) { rows throws(ProtocolError) in try BackupSessionFacts(rows) }
    }

    // MARK: - Privileges

    /// The functions that a role must be allowed to call, as GRANT names them.
    ///
    /// Source: PostgreSQL manual, pg_rewind, "Notes", for those that read files.
    package var functions: [String] {
        let start = isRenamed ? "pg_backup_start(text, boolean)" : "pg_start_backup(text, boolean, boolean)"
        let stop = isRenamed ? "pg_backup_stop(boolean)" : "pg_stop_backup(boolean, boolean)"
        return [
            start, stop, "pg_ls_dir(text, boolean, boolean)", "pg_stat_file(text, boolean)",
            "pg_read_binary_file(text, bigint, bigint, boolean)",
        ]
    }

    /// Which of ``functions`` the role may not call.
    package var missingPrivileges: ReplicationQuery<[String]> {
        let list = functions.map { SQLText.literal("pg_catalog.\($0)") }.joined(separator: ", ")
        let text =
            "SELECT f FROM unnest(ARRAY[\(list)]::text[]) AS f WHERE NOT has_function_privilege(f, 'EXECUTE')"
        return ReplicationQuery(text) { rows throws(ProtocolError) in rows.rows.compactMap { $0.first ?? nil } }
    }

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
    /// - Parameter directory: Relative to the data directory; `.` for itself.
    package func list(_ directory: String) -> String {
        let path = directory == "." ? "name" : "\(SQLText.literal(directory + "/")) || name"
        return """
            COPY (SELECT name, size, isdir::int4, extract(epoch FROM modification)::int8 \
            FROM pg_ls_dir(\(SQLText.literal(directory)), true, false) AS name, \
            LATERAL pg_stat_file(\(path), true) WHERE size IS NOT NULL) TO STDOUT (FORMAT binary)
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
        /// For ``BackupSQL/compare(_:)``: those of the blocks that this side has, one behind the other from the range's
        /// beginning on: ``BackupSQL/digestSize`` bytes for each ``BackupSQL/rowSize`` bytes, or fewer at the range's end.
        package var digests: [UInt8] = []

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

/// Whom an ordinary connection has reached.
package struct BackupSessionFacts: Sendable {
    package var processID: Int
    /// When the server was started.
    package var startTime: String
    package var systemIdentifier: String
    package var role: String
    package var isSuperuser: Bool

    init(_ rows: ResultSet) throws(ProtocolError) {
        let row = try rows.onlyRow(atLeast: 5, of: "pg_backend_pid")
        guard let process = row[0].flatMap({ Int($0) }), let startTime = row[1], let identifier = row[2],
            let role = row[3]
        else { throw ProtocolError("server does not say who it is") }
        processID = process
        self.startTime = startTime
        systemIdentifier = identifier
        self.role = role
        isSuperuser = row[4] == "t"
    }
}
