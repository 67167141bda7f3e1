package import UnderstudyWAL

/// A query for the state of a WAL sender and its slot, run on an ordinary connection; SQL for a server version.
///
/// Source: PostgreSQL manual, "pg_stat_replication", "pg_replication_slots", "Backup Control Functions".
package struct WatchQuery: Sendable, Equatable {
    package var version: ServerVersion
    /// The process ID of our WAL sender; nil if there is none.
    package var senderPID: Int?
    package var slot: String?

    package init(version: ServerVersion, senderPID: Int? = nil, slot: String? = nil) {
        self.version = version
        self.senderPID = senderPID
        self.slot = slot
    }

    package var text: String {
        let state =
            senderPID.map { "(SELECT sync_state FROM pg_catalog.pg_stat_replication WHERE pid = \($0))" } ?? "NULL"
        let columns =
            "\(state), \(version.walNames.position), slot_type, restart_lsn, \(status), \(waits), \(Self.names)"
        guard let slot, version.hasSlots else {
            return
                "SELECT \(state), \(version.walNames.position), NULL, NULL, NULL, NULL, NULL, \(waits), \(Self.names)"
        }
        return """
            SELECT \(columns) FROM (SELECT 1) AS one \
            LEFT JOIN pg_catalog.pg_replication_slots ON slot_name = \(SQLText.literal(slot))
            """
    }

    /// Whether commits wait until standbys have replayed them: here, or for some role or database.
    private var waits: String {
        guard version.waitsForReplay else { return "NULL" }
        return """
            pg_catalog.current_setting('synchronous_commit') = 'remote_apply' OR EXISTS (SELECT 1 FROM \
            pg_catalog.pg_db_role_setting WHERE 'synchronous_commit=remote_apply' = ANY (setconfig))
            """
    }

    /// Whom commits wait for: where the role may not read the state of its own WAL sender, that has to do.
    private static let names = "pg_catalog.current_setting('synchronous_standby_names')"

    private var status: String {
        let reason = version.reportsInvalidationReason ? "invalidation_reason" : "NULL"
        return (version.reportsSlotWALStatus ? "wal_status, safe_wal_size, " : "NULL, NULL, ") + reason
    }

    package struct Answer: Sendable, Equatable {
        /// `async`, `potential`, `sync` or `quorum`; nil if not reported.
        package var syncState: String?
        /// synchronous_standby_names.
        package var standbyNames: String?
        /// Whether commits wait until standbys have replayed them (from 9.6).
        package var waitsForReplay: Bool
        /// The end of the server's WAL.
        package var serverPosition: LSN?
        /// Nil if the slot does not exist.
        package var slot: SlotState?
        /// `reserved`, `extended`, `unreserved` or `lost` (from 13).
        package var walStatus: String?
        /// Bytes that may still be written before the slot can lose WAL; nil if there is no limit (from 13).
        package var safeSize: Int64?
        /// Why the server invalidated the slot: `wal_removed`, `idle_timeout` and others (from 17).
        package var invalidationReason: String?

        package init(_ result: ResultSet) throws(ProtocolError) {
            let row = try result.onlyRow(atLeast: 9, of: "pg_replication_slots")
            syncState = row[0]
            serverPosition = row[1].flatMap { LSN($0) }
            waitsForReplay = row[7] == "t"
            standbyNames = row[8]
            slot = row[2].map { SlotState(kind: $0, restartLSN: row[3].flatMap { LSN($0) }) }
            walStatus = row[4]
            safeSize = row[5].flatMap { Int64($0) }
            invalidationReason = row[6]
        }

        /// Whether commits wait for our acknowledgement.
        package var isSynchronous: Bool { syncState == "sync" || syncState == "quorum" }

        /// Nil for a slot that is valid or was never used. 16 and 17 show an invalidated slot as `unreserved` while it
        /// is active and moves.
        package var invalidation: SlotInvalidation? {
            guard walStatus == "lost" || invalidationReason != nil else { return nil }
            return SlotInvalidation(reason: invalidationReason)
        }
    }
}

/// The server invalidated the slot: it keeps no WAL, whatever its restart position.
package struct SlotInvalidation: Sendable, Equatable {
    /// The server's reason: `wal_removed`, `idle_timeout` and others. Nil before 17, and if not reported.
    package var reason: String?

    package init(reason: String? = nil) {
        self.reason = reason
    }
}
