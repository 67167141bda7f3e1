package import UnderstudyWAL

/// What a check asks a server on an ordinary connection; SQL for a server version.
///
/// Nothing in it fails for a lack of privileges: what the role may not see is NULL, or left out.
///
/// Source: PostgreSQL manual, "System Information Functions", "The Cumulative Statistics System".
package enum CheckSQL {
    /// What the server is, and who asks.
    package struct Situation: Sendable, Equatable {
        package var isInRecovery: Bool
        /// The end of its WAL; on a standby of what it has received.
        package var position: LSN?
        /// When the server was started, in seconds: two connections with the same value reach one server.
        package var startedAt: String
        package var role: String
        package var isSuperuser: Bool
        package var mayReplicate: Bool
        /// Whether the role may ask how the server reads pg_hba.conf.
        package var seesHostRules: Bool

        package init(
            isInRecovery: Bool, position: LSN? = nil, startedAt: String = "", role: String, isSuperuser: Bool = false,
            mayReplicate: Bool = true, seesHostRules: Bool = false
        ) {
            self.isInRecovery = isInRecovery
            self.position = position
            self.startedAt = startedAt
            self.role = role
            self.isSuperuser = isSuperuser
            self.mayReplicate = mayReplicate
            self.seesHostRules = seesHostRules
        }
    }

    package static func situation(_ version: ServerVersion) -> ReplicationQuery<Situation> {
        let rules =
            version.hasHostRulesView
            ? "pg_catalog.has_table_privilege('pg_catalog.pg_hba_file_rules', 'SELECT') AND pg_catalog.has_function_privilege('pg_catalog.pg_hba_file_rules()', 'EXECUTE')"
            : "false"
        let text = """
            SELECT pg_catalog.pg_is_in_recovery(), \(version.walNames.position), \
            EXTRACT(EPOCH FROM pg_catalog.pg_postmaster_start_time()), rolname, rolsuper, rolreplication, \
            \(rules) FROM pg_catalog.pg_roles WHERE rolname = session_user
            """
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            let row = try rows.onlyRow(atLeast: 7, of: "pg_roles")
            return Situation(
                isInRecovery: row[0] == "t", position: row[1].flatMap { LSN($0) }, startedAt: row[2] ?? "",
                role: row[3] ?? "", isSuperuser: row[4] == "t", mayReplicate: row[5] == "t" || row[4] == "t",
                seesHostRules: row[6] == "t")
        }
    }

    /// Whose cluster it is, for a role that cannot replicate: from 9.6. The timeline is that of the last checkpoint.
    package static var control: ReplicationQuery<(system: String, timeline: TimelineID?)> {
        let text =
            "SELECT system_identifier, timeline_id FROM pg_catalog.pg_control_system(), pg_catalog.pg_control_checkpoint()"
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            let row = try rows.onlyRow(atLeast: 2, of: "pg_control_system")
            // Shown as a signed number, up to 16 and maybe later.
            guard let number = row[0].flatMap({ Int64($0) }) else {
                throw ProtocolError("unexpected answer to pg_control_system: no system identifier")
            }
            let timeline = row[1].flatMap { UInt32($0) }.map { TimelineID(rawValue: $0) }
            return ("\(UInt64(bitPattern: number))", timeline)
        }
    }

    // MARK: - Settings

    package struct Setting: Sendable, Equatable {
        package var value: String
        /// The file that has it, for a role that may know that.
        package var file: String?

        package init(_ value: String, file: String? = nil) {
            self.value = value
            self.file = file
        }
    }

    /// Settings by name, with their units. pg_settings leaves those out that the role may not read, where current_setting
    /// alone would be an error in the log of the server.
    package static func settings(_ names: [String]) -> ReplicationQuery<[String: Setting]> {
        let list = names.map { SQLText.literal($0) }.joined(separator: ", ")
        let text =
            "SELECT name, pg_catalog.current_setting(name), sourcefile FROM pg_catalog.pg_settings WHERE name IN (\(list))"
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            var settings: [String: Setting] = [:]
            for row in rows.rows where row.count == 3 {
                if let name = row[0], let value = row[1] { settings[name] = Setting(value, file: row[2]) }
            }
            return settings
        }
    }

    // MARK: - pg_hba.conf

    package struct HostRules: Sendable, Equatable {
        /// Lines that the server cannot read, and why.
        package var errors: [(line: String, reason: String)]
        /// How many lines are for replication.
        package var replicationLines: Int

        package init(errors: [(line: String, reason: String)] = [], replicationLines: Int) {
            self.errors = errors
            self.replicationLines = replicationLines
        }

        package static func == (one: HostRules, other: HostRules) -> Bool {
            one.replicationLines == other.replicationLines
                && one.errors.elementsEqual(other.errors, by: { $0 == $1 })
        }
    }

    /// Servers from 10, for a role that may see it.
    package static var hostRules: ReplicationQuery<HostRules> {
        let text = """
            SELECT line_number, error, 'replication' = ANY (database) FROM pg_catalog.pg_hba_file_rules \
            WHERE error IS NOT NULL OR 'replication' = ANY (database) ORDER BY line_number
            """
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            var rules = HostRules(replicationLines: 0)
            for row in rows.rows where row.count == 3 {
                if let error = row[1] {
                    rules.errors.append((row[0] ?? "", error))
                } else {
                    rules.replicationLines += 1
                }
            }
            return rules
        }
    }

    // MARK: - Sizes

    package struct Sizes: Sendable, Equatable {
        /// Of the databases that the role may measure, with all their tablespaces.
        package var bytes: UInt64
        /// Databases that it may not measure.
        package var unmeasured: Int

        package init(bytes: UInt64, unmeasured: Int = 0) {
            self.bytes = bytes
            self.unmeasured = unmeasured
        }
    }

    package static func sizes(_ version: ServerVersion) -> ReplicationQuery<Sizes> {
        let all = version.hasMonitorRoles ? "pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') OR " : ""
        let text = """
            SELECT pg_catalog.sum(CASE WHEN may THEN pg_catalog.pg_database_size(oid) END), \
            pg_catalog.sum(CASE WHEN may THEN 0 ELSE 1 END) FROM (SELECT oid, \
            \(all)pg_catalog.has_database_privilege(oid, 'CONNECT') AS may FROM pg_catalog.pg_database) AS databases
            """
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            let row = try rows.onlyRow(atLeast: 2, of: "pg_database")
            return Sizes(bytes: row[0].flatMap { UInt64($0) } ?? 0, unmeasured: row[1].flatMap { Int($0) } ?? 0)
        }
    }

    /// The directories of tablespaces outside of the data directory.
    package static var tablespaces: ReplicationQuery<[String]> {
        let text = """
            SELECT pg_catalog.pg_tablespace_location(oid) FROM pg_catalog.pg_tablespace \
            WHERE spcname NOT IN ('pg_default', 'pg_global') ORDER BY 1
            """
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            rows.rows.compactMap { $0.first.flatMap { $0 } }.filter { $0.hasPrefix("/") }
        }
    }

    /// So many rows of 64,000 bytes, whose only purpose is to see how fast they come.
    package static func sample(rows: Int) -> ReplicationQuery<Int> {
        let text =
            "SELECT pg_catalog.repeat('understudy.check', 4000) FROM pg_catalog.generate_series(1, \(rows))"
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            rows.rows.reduce(0) { $0 + ($1.first.flatMap { $0 }?.utf8.count ?? 0) }
        }
    }
}
