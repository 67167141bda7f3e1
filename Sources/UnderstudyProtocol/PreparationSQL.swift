/// What is asked of a primary that is to be prepared for standbys, over an ordinary connection, and said to it.
package struct PreparationSQL: Sendable {
    package let version: ServerVersion

    package init(_ version: ServerVersion) {
        self.version = version
    }

    /// What may not depend on settings of the role or the database. A commit does not wait for a standby, since there may be
    /// none yet.
    package static let session = """
        SET search_path = pg_catalog; SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; \
        SET default_transaction_read_only = off; SET synchronous_commit = local; SET statement_timeout = 0; \
        SET lock_timeout = 0
        """

    /// Waits until no other preparation changes the server. The lock ends with the session.
    package static let lock = """
        SET statement_timeout = 0; SET lock_timeout = '30s'; SELECT pg_catalog.pg_advisory_lock(24046750498190196)
        """

    /// Settings of the session, with values that keep the text of statements out of the server's log. Only superusers may
    /// set them all.
    package var silence: [(name: String, value: String)] {
        var settings = [
            ("log_statement", "none"), ("log_min_duration_statement", "-1"), ("log_min_error_statement", "panic"),
            ("debug_print_parse", "off"), ("debug_print_rewritten", "off"),
        ]
        if version.number >= 120_000 { settings.append(("log_transaction_sample_rate", "0")) }
        if version.number >= 130_000 { settings.append(("log_min_duration_sample", "-1")) }
        return settings.map { (name: $0.0, value: $0.1) }
    }

    package struct Server: Sendable, Equatable {
        package var isInRecovery: Bool
        package var role: String
        package var isSuperuser: Bool
        /// Whether the role may give others REPLICATION without being a superuser (from 16).
        package var mayGiveReplication: Bool
        package var mayCreateRoles: Bool
        package var mayReload: Bool
        package var mayReadVerifiers: Bool
        package var sendersInUse: Int
        package var slotsInUse: Int
    }

    package var server: ReplicationQuery<Server> {
        let slots = version.hasSlots ? "(SELECT count(*) FROM pg_replication_slots)" : "0"
        let text = """
            SELECT pg_is_in_recovery(), rolname, rolsuper, rolcreaterole, rolreplication, \
            has_function_privilege('pg_catalog.pg_reload_conf()', 'EXECUTE'), \
            has_table_privilege('pg_catalog.pg_authid', 'SELECT'), \
            (SELECT count(*) FROM pg_stat_replication), \(slots) FROM pg_roles WHERE rolname = current_user
            """
        let version = version
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            let row = try rows.onlyRow(atLeast: 9, of: "pg_roles")
            let isSuperuser = row[2] == "t", creates = row[3] == "t"
            return Server(
                isInRecovery: row[0] == "t", role: row[1] ?? "", isSuperuser: isSuperuser,
                mayGiveReplication: isSuperuser || (version.number >= 160_000 && creates && row[4] == "t"),
                mayCreateRoles: isSuperuser || creates,
                // Before 10 the function itself refuses.
                mayReload: isSuperuser || (version.number >= 100_000 && row[5] == "t"),
                mayReadVerifiers: row[6] == "t",
                sendersInUse: row[7].flatMap { Int($0) } ?? 0, slotsInUse: row[8].flatMap { Int($0) } ?? 0)
        }
    }

    // MARK: - Settings

    package struct Setting: Sendable, Equatable {
        package var name: String
        package var value: String
        package var source: String?
        /// Whether a new value of its files waits for a restart (from 9.5).
        package var isPending: Bool
        /// Whether the role may set it by ALTER SYSTEM.
        package var maySet: Bool
    }

    /// Those that the role may see.
    package func settings(_ names: [String]) -> ReplicationQuery<[Setting]> {
        let pending = version.number >= 90500 ? "pending_restart" : "false"
        let right =
            version.number >= 150_000
            ? "has_parameter_privilege(name, 'ALTER SYSTEM')"
            : "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
        let list = names.map { SQLText.literal($0) }.joined(separator: ", ")
        let text = "SELECT name, setting, source, \(pending), \(right) FROM pg_settings WHERE name IN (\(list))"
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            rows.rows.compactMap { row in
                guard row.count >= 5, let name = row[0] else { return nil }
                return Setting(
                    name: name, value: row[1] ?? "", source: row[2], isPending: row[3] == "t", maySet: row[4] == "t")
            }
        }
    }

    /// The settings that wait for a restart; nil before 9.5.
    package var pendingSettings: ReplicationQuery<[String]>? {
        guard version.number >= 90500 else { return nil }
        return ReplicationQuery("SELECT name FROM pg_settings WHERE pending_restart ORDER BY name") {
            rows throws(ProtocolError) in rows.rows.compactMap { $0.first ?? nil }
        }
    }

    package struct Configured: Sendable, Equatable {
        package var value: String
        /// Whether ALTER SYSTEM has set it, which counts more than other files.
        package var isOfAlterSystem: Bool

        package init(value: String, isOfAlterSystem: Bool) {
            self.value = value
            self.isOfAlterSystem = isOfAlterSystem
        }
    }

    /// What the server's files set, the last of a name being the one that counts; nil before 9.5. Superusers only.
    package func configured(_ names: [String]) -> ReplicationQuery<[String: Configured]>? {
        guard version.number >= 90500 else { return nil }
        let list = names.map { SQLText.literal($0) }.joined(separator: ", ")
        let text = "SELECT name, setting, sourcefile FROM pg_file_settings WHERE name IN (\(list)) ORDER BY seqno"
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            var settings: [String: Configured] = [:]
            for row in rows.rows where row.count >= 3 {
                guard let name = row[0], let value = row[1] else { continue }
                settings[name] = Configured(
                    value: value, isOfAlterSystem: (row[2] ?? "").hasSuffix("/postgresql.auto.conf"))
            }
            return settings
        }
    }

    package static let reload = "SELECT pg_reload_conf()"
    /// When the configuration was loaded, for comparison.
    package var loadTime: ReplicationQuery<String> { value("SELECT pg_conf_load_time()::text") }

    // MARK: - The role

    package struct Role: Sendable, Equatable {
        package var mayLogIn: Bool
        package var mayReplicate: Bool
        /// Whether VALID UNTIL has passed.
        package var hasExpired: Bool
    }

    /// nil if there is none of that name.
    package func role(_ name: String) -> ReplicationQuery<Role?> {
        let text = """
            SELECT rolcanlogin, rolreplication OR rolsuper, coalesce(rolvaliduntil <= now(), false) \
            FROM pg_roles WHERE rolname = \(SQLText.literal(name))
            """
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            guard !rows.rows.isEmpty else { return nil }
            let row = try rows.onlyRow(atLeast: 3, of: "pg_roles")
            return Role(mayLogIn: row[0] == "t", mayReplicate: row[1] == "t", hasExpired: row[2] == "t")
        }
    }

    /// What the server keeps of the role's password; nil for none.
    package func verifier(_ name: String) -> ReplicationQuery<String?> {
        ReplicationQuery("SELECT rolpassword FROM pg_authid WHERE rolname = \(SQLText.literal(name))") {
            rows throws(ProtocolError) in rows.rows.first?.first ?? nil
        }
    }

    /// The roles that it is a member of, directly or not, itself among them. A superuser is a member of those alone, too,
    /// where pg_hba.conf asks.
    package func memberships(_ name: String) -> ReplicationQuery<[String]> {
        let text = """
            WITH RECURSIVE held (oid) AS (SELECT oid FROM pg_roles WHERE rolname = \(SQLText.literal(name)) \
            UNION SELECT m.roleid FROM pg_auth_members m JOIN held ON m.member = held.oid) \
            SELECT rolname FROM pg_roles JOIN held ON pg_roles.oid = held.oid
            """
        return ReplicationQuery(text) { rows throws(ProtocolError) in rows.rows.compactMap { $0.first ?? nil } }
    }

    /// Which of some regular expressions match a name, in their order.
    package func matches(_ name: String, _ patterns: [String]) -> ReplicationQuery<[Bool]> {
        // As the server compiles those of pg_hba.conf.
        let list = patterns.map { "\(SQLText.literal(name)) COLLATE \"C\" ~ \(SQLText.literal($0))" }
        return ReplicationQuery("SELECT \(list.joined(separator: ", "))") { rows throws(ProtocolError) in
            try rows.onlyRow(atLeast: patterns.count, of: "SELECT").map { $0 == "t" }
        }
    }

    // MARK: - Files

    package struct Files: Sendable, Equatable {
        package var rules: String?
        package var configuration: String?
        package var dataDirectory: String?
    }

    /// Where they are, as far as the role may know it.
    package var files: ReplicationQuery<Files> {
        let text = """
            SELECT name, setting FROM pg_settings WHERE name IN ('hba_file', 'config_file', 'data_directory')
            """
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            var found: [String: String] = [:]
            for row in rows.rows where row.count >= 2 {
                if let name = row[0], let path = row[1], !path.isEmpty { found[name] = path }
            }
            return Files(
                rules: found["hba_file"], configuration: found["config_file"], dataDirectory: found["data_directory"])
        }
    }

    /// A file of the server, as hexadecimal digits: read the field as bytes.
    package static func content(_ path: String) -> String {
        "SELECT encode(pg_read_binary_file(\(SQLText.literal(path))), 'hex')"
    }

    /// The names in a directory of the server.
    package func names(in directory: String) -> ReplicationQuery<[String]> {
        ReplicationQuery("SELECT pg_ls_dir(\(SQLText.literal(directory)))") { rows throws(ProtocolError) in
            rows.rows.compactMap { $0.first ?? nil }
        }
    }

    package struct RuleError: Sendable, Hashable {
        package var line: Int
        package var message: String
        /// From 16.
        package var file: String?
    }

    /// For which lines the server would refuse pg_hba.conf as it is on its disk; nil before 10. A line that it takes, but of
    /// which it says that it can never match, is not among them.
    package var ruleErrors: ReplicationQuery<[RuleError]>? {
        guard version.number >= 100_000 else { return nil }
        let file = version.number >= 160_000 ? "file_name" : "NULL"
        let text = """
            SELECT line_number, error, \(file) FROM pg_hba_file_rules \
            WHERE error IS NOT NULL AND type IS NULL ORDER BY 1
            """
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            rows.rows.compactMap { row in
                guard row.count >= 3, let message = row[1] else { return nil }
                return RuleError(line: row[0].flatMap { Int($0) } ?? 0, message: message, file: row[2])
            }
        }
    }

    private func value(_ text: String) -> ReplicationQuery<String> {
        ReplicationQuery(text) { rows throws(ProtocolError) in
            try rows.onlyRow(atLeast: 1, of: text)[0] ?? ""
        }
    }

    /// The value of a setting as SHOW has it, with its unit.
    package func shown(_ name: String) -> ReplicationQuery<String> {
        value("SELECT current_setting(\(SQLText.literal(name)))")
    }
}
