package import UnderstudyWAL

/// Minimal configuration files for a copy whose primary keeps its own outside the data directory.
package struct GeneratedConfiguration: Sendable {
    package var serverVersion: Int
    /// The copy's control file. It holds the settings that a standby must not have lower than its primary.
    package var controlFile: ControlFile
    package var port: Int?

    package init(serverVersion: Int, controlFile: ControlFile) {
        self.serverVersion = serverVersion
        self.controlFile = controlFile
    }

    /// postgresql.conf, pg_hba.conf and pg_ident.conf. They must not replace existing files.
    package var files: [StandbyConfiguration.FileEdit] {
        [
            .init(name: "postgresql.conf", content: postgresqlConf, kind: .create),
            .init(name: "pg_hba.conf", content: hbaConf, kind: .create),
            .init(name: "pg_ident.conf", content: "# MAPNAME SYSTEM-USERNAME PG-USERNAME\n", kind: .create),
        ]
    }

    package var postgresqlConf: String {
        let facts = ConfigurationFacts(serverVersion: serverVersion)
        var text = "# Made by understudy: the primary's postgresql.conf was not in its data directory.\n\n"
        func set(_ name: String, _ value: String) { text += ConfigurationText.line(name, value) }

        if let port { set("port", String(port)) }
        // initdb's value on all but small machines. Without this line some versions use 8 MB.
        set("shared_buffers", "128MB")
        set("hot_standby", "on")

        text += "\n# A standby does not start with less than its primary has.\n"
        set("max_connections", String(controlFile.maxConnections))
        set("max_prepared_transactions", String(controlFile.maxPreparedTransactions))
        set("max_locks_per_transaction", String(controlFile.maxLocksPerTransaction))
        if let processes = controlFile.maxWorkerProcesses { set("max_worker_processes", String(processes)) }
        if let senders = controlFile.maxWALSenders { set("max_wal_senders", String(senders)) }

        text += "\n# For the day when this server is promoted.\n"
        set("wal_level", controlFile.walLevel.rawValue)
        if facts.walSendersAreConnections {
            // Together with the 3 connections reserved for superusers, WAL senders must stay below max_connections.
            set("max_wal_senders", String(min(10, max(0, controlFile.maxConnections - 4))))
        }
        if facts.hasSlots { set("max_replication_slots", "10") }
        if controlFile.walLogHints == true { set("wal_log_hints", "on") }
        if controlFile.trackCommitTimestamp == true { set("track_commit_timestamp", "on") }
        return text
    }

    /// Admits local users over the socket, and users with a password over the loopback interface.
    package var hbaConf: String {
        let password = ConfigurationFacts(serverVersion: serverVersion).passwordMethod
        var text = "# TYPE DATABASE USER ADDRESS METHOD\n"
        for database in ["all", "replication"] {
            text += "local \(database) all peer\n"
            text += "host \(database) all 127.0.0.1/32 \(password)\n"
            text += "host \(database) all ::1/128 \(password)\n"
        }
        return text
    }
}
