/// The sessions of a backup over ordinary connections: their settings, whom they have reached, and what their role may do.
extension BackupSQL {
    /// What may not depend on settings of the role or the database: no time-out, no translation of bytes, only the server's
    /// own functions and operators, no plan but the plain one, no temporary file for the names of a directory, and no messages
    /// for developers. A serializable transaction would be refused by a standby.
    ///
    /// They are SET, which needs no right.
    ///
    /// Source: PostgreSQL manual, "Client Connection Defaults", "Query Planning".
    package var settings: String {
        var values = [
            ("client_min_messages", "notice"), ("default_transaction_isolation", "read committed"),
            ("search_path", "pg_catalog"), ("client_encoding", "SQL_ASCII"), ("standard_conforming_strings", "on"),
            ("statement_timeout", "0"), ("lock_timeout", "0"), ("bytea_output", "hex"),
            ("work_mem", "16MB"),
        ]
        func from(_ number: Int, _ name: String, _ value: String) {
            if version.number >= number { values.append((name, value)) }
        }
        from(90600, "idle_in_transaction_session_timeout", "0")
        from(90600, "max_parallel_workers_per_gather", "0")
        from(110_000, "jit", "off")
        from(140_000, "idle_session_timeout", "0")
        from(170_000, "transaction_timeout", "0")
        return values.map { "SET \($0) = \(SQLText.literal($1))" }.joined(separator: "; ")
    }

    /// One row: the server process, when the server was started, and its system's identifier.
    package var identity: ReplicationQuery<BackupSessionFacts> {
        let text = """
            SELECT pg_backend_pid(), extract(epoch FROM pg_postmaster_start_time())::text, \
            (SELECT system_identifier::text FROM pg_control_system())
            """
        return ReplicationQuery(text) { rows throws(ProtocolError) in try BackupSessionFacts(rows) }
    }

    /// How many more connections the server would take from a role that is no superuser: at most that, since before 10
    /// processes of its own are counted, too.
    package var freeConnections: ReplicationQuery<Int> {
        let reserved = version.number >= 160_000 ? " - current_setting('reserved_connections')::int" : ""
        let clients = version.number >= 100_000 ? " WHERE backend_type = 'client backend'" : ""
        let text = """
            SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int\
            \(reserved) - (SELECT count(*) FROM pg_stat_activity\(clients))
            """
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            try rows.onlyRow(atLeast: 1, of: "max_connections")[0].flatMap { Int($0) } ?? 0
        }
    }

    // MARK: - Privileges

    /// What a role must be allowed to call and to read. Only the first five are not for everybody as a server is made.
    ///
    /// Source: PostgreSQL manual, pg_rewind, "Notes", for those that read files.
    package var privileges: [BackupPrivilege] {
        let start = isRenamed ? "pg_backup_start(text, boolean)" : "pg_start_backup(text, boolean, boolean)"
        let stop = isRenamed ? "pg_backup_stop(boolean)" : "pg_stop_backup(boolean, boolean)"
        let functions = [
            start, stop, "pg_ls_dir(text, boolean, boolean)", "pg_stat_file(text, boolean)",
            "pg_read_binary_file(text, bigint, bigint, boolean)", "pg_tablespace_location(oid)", "pg_backend_pid()",
            "pg_postmaster_start_time()", "pg_control_system()", "pg_show_all_settings()",
            "generate_series(bigint, bigint, bigint)",
        ]
        return functions.map { .call("pg_catalog.\($0)") }
            + ["pg_tablespace", "pg_settings"].map { .read("pg_catalog.\($0)") }
    }

    /// What ``missingPrivileges`` itself needs.
    package static let inquiryPrivileges: [BackupPrivilege] = [
        .call("pg_catalog.has_function_privilege(text, text)"), .call("pg_catalog.has_table_privilege(text, text)"),
    ]

    /// Which of ``privileges`` the role has not.
    package var missingPrivileges: ReplicationQuery<[BackupPrivilege]> {
        let privileges = privileges
        let rows = privileges.enumerated().map { index, privilege in
            switch privilege {
            case .call(let function): "(\(index), has_function_privilege(\(SQLText.literal(function)), 'EXECUTE'))"
            case .read(let relation): "(\(index), has_table_privilege(\(SQLText.literal(relation)), 'SELECT'))"
            }
        }
        let text = "SELECT i FROM (VALUES \(rows.joined(separator: ", "))) AS privilege (i, held) WHERE NOT held"
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            try rows.rows.map { row throws(ProtocolError) in
                guard let index = row.first?.flatMap({ Int($0) }), privileges.indices.contains(index) else {
                    throw ProtocolError("server answers another question about privileges than it was asked")
                }
                return privileges[index]
            }
        }
    }

    /// The role whose privileges count.
    package var role: ReplicationQuery<String> {
        ReplicationQuery("SELECT current_user") { rows throws(ProtocolError) in
            try rows.onlyRow(atLeast: 1, of: "current_user")[0] ?? ""
        }
    }
}

/// What a role may be allowed to do: names and signatures as GRANT takes them.
package enum BackupPrivilege: Sendable, Hashable {
    case call(String)
    case read(String)

    /// The function or relation.
    package var object: String {
        switch self {
        case .call(let object), .read(let object): object
        }
    }

    /// The statement that gives it.
    package func grant(to role: String) -> String {
        switch self {
        case .call(let function): "GRANT EXECUTE ON FUNCTION \(function) TO \(role);"
        case .read(let relation): "GRANT SELECT ON \(relation) TO \(role);"
        }
    }
}

/// Whom an ordinary connection has reached.
package struct BackupSessionFacts: Sendable, Equatable {
    package var processID: Int
    /// When the server was started.
    package var startTime: String
    package var systemIdentifier: String

    package init(processID: Int, startTime: String, systemIdentifier: String) {
        self.processID = processID
        self.startTime = startTime
        self.systemIdentifier = systemIdentifier
    }

    init(_ rows: ResultSet) throws(ProtocolError) {
        let row = try rows.onlyRow(atLeast: 3, of: "pg_backend_pid")
        guard let process = row[0].flatMap({ Int($0) }), let startTime = row[1], let identifier = row[2] else {
            throw ProtocolError("server does not say who it is")
        }
        self.init(processID: process, startTime: startTime, systemIdentifier: identifier)
    }
}
