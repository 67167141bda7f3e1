/// The names of what tells WAL positions, by version: the one table of them. Version 10 renamed all.
///
/// Source: PostgreSQL 10 release notes, "Migration to Version 10"; manual, "Backup Control Functions", "Recovery Control
/// Functions", "pg_stat_replication".
package struct WALNames: Sendable, Equatable {
    /// The end of what was written: a function of a primary.
    package let current: String
    /// The end of what was generated: a function of a primary.
    package let inserted: String
    /// The end of what a standby has received and flushed.
    package let received: String
    /// The end of what a standby has replayed.
    package let replayed: String
    /// Bytes from the second position to the first one.
    package let difference: String
    package let isReplayPaused: String
    package let resumeReplay: String
    /// What the columns of pg_stat_replication end with: `sent_lsn`, or `sent_location`.
    package let columnSuffix: String

    /// The end of the server's WAL, on a primary and on a standby: SQL.
    package var position: String {
        "CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.\(received)() ELSE pg_catalog.\(current)() END"
    }
}

extension ServerVersion {
    package var walNames: WALNames { usesXlogName ? .xlog : .wal }
}

extension WALNames {
    fileprivate static let xlog = WALNames(
        current: "pg_current_xlog_location", inserted: "pg_current_xlog_insert_location",
        received: "pg_last_xlog_receive_location", replayed: "pg_last_xlog_replay_location",
        difference: "pg_xlog_location_diff", isReplayPaused: "pg_is_xlog_replay_paused",
        resumeReplay: "pg_xlog_replay_resume", columnSuffix: "location")
    fileprivate static let wal = WALNames(
        current: "pg_current_wal_lsn", inserted: "pg_current_wal_insert_lsn", received: "pg_last_wal_receive_lsn",
        replayed: "pg_last_wal_replay_lsn", difference: "pg_wal_lsn_diff", isReplayPaused: "pg_is_wal_replay_paused",
        resumeReplay: "pg_wal_replay_resume", columnSuffix: "lsn")
}
