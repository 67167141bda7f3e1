/// A server's version, and the differences in the replication protocol that depend on it.
package struct ServerVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The value of `server_version_num`: 90326, 150018.
    package let number: Int

    package init(number: Int) {
        self.number = number
    }

    /// The first version of a major one, as PG_VERSION names it: `15`, `9.6`. nil for other texts.
    package init?(major: String) {
        let parts = major.split(separator: ".", omittingEmptySubsequences: false).map { part in
            part.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(part) : nil
        }
        switch (parts.count, parts.first ?? nil, parts.last ?? nil) {
        case (1, let number?, _) where (10...99).contains(number): self.number = number * 10_000
        case (2, let number?, let minor?) where (7...9).contains(number) && minor < 10:
            self.number = number * 10_000 + minor * 100
        default: return nil
        }
    }

    package static func < (left: ServerVersion, right: ServerVersion) -> Bool {
        left.number < right.number
    }

    /// `9.6` or `15`. A data directory and its programs must have the same major version.
    package var major: String {
        number >= 100_000 ? "\(number / 10000)" : "\(number / 10000).\(number / 100 % 100)"
    }

    /// `9.6.24` or `15.18`.
    package var description: String {
        number >= 100_000 ? "\(number / 10000).\(number % 10000)" : "\(major).\(number % 100)"
    }

    package static let oldestSupported = ServerVersion(number: 90300)
    /// This version and later ones are accepted with a warning.
    package static let firstUnknown = ServerVersion(number: 200_000)

    private func from(_ number: Int) -> Bool { self.number >= number }

    // MARK: - Replication slots

    package var hasSlots: Bool { from(90400) }
    package var reservesWALOnSlotCreation: Bool { from(90600) }
    package var hasTemporarySlots: Bool { from(100_000) }
    package var hasReceiverView: Bool { from(90600) }
    /// Whether pg_replication_slots names the WAL sender that uses a slot.
    package var showsSlotProcess: Bool { from(90500) }
    package var readsSlots: Bool { from(150_000) }
    package var reportsSlotWALStatus: Bool { from(130_000) }
    package var reportsInvalidationReason: Bool { from(170_000) }
    /// Whether the server has max_slot_wal_keep_size.
    package var invalidatesSlots: Bool { from(130_000) }
    /// Whether an invalidated slot stays invalid. Before 16, the next flush position reported to it makes it valid
    /// again.
    package var keepsSlotsInvalidated: Bool { from(160_000) }
    /// Whether the server refuses to stream from an invalidated slot.
    package var refusesInvalidatedSlots: Bool { from(180_000) }

    // MARK: - BASE_BACKUP

    package var limitsBackupRate: Bool { from(90400) }
    package var verifiesPageChecksums: Bool { from(110_000) }
    package var hasManifest: Bool { from(130_000) }
    /// Whether the backup manifest contains the system identifier (version 2 of its format).
    package var namesSystemInManifest: Bool { from(170_000) }
    package var hasIncrementalBackup: Bool { from(170_000) }
    /// Whether the server compresses archives, and can put a backup somewhere itself.
    package var compressesAndHasTargets: Bool { from(150_000) }
    /// Whether the server can send a tablespace_map instead of symbolic links.
    package var hasTablespaceMap: Bool { from(90500) }
    /// Whether commands take one parenthesised option list instead of bare keywords, and a backup comes in one copy
    /// stream instead of one per archive.
    package var hasOptionLists: Bool { from(150_000) }

    // MARK: - The low-level backup interface

    /// Whether a backup lasts as long as its connection, and others may run beside it.
    package var hasConcurrentBackups: Bool { from(90600) }
    /// Whether the functions that read the server's files can be granted to roles that are no superusers.
    package var grantsFileFunctions: Bool { from(110_000) }

    /// Whether max_connections counts WAL senders, too.
    package var countsSendersAmongConnections: Bool { !from(120_000) }
    /// Whether the server has stats_temp_directory.
    package var keepsStatisticsInFiles: Bool { !from(150_000) }

    // MARK: - What a check can ask

    package var hasArchiverView: Bool { from(90400) }
    /// Whether the functions that read pg_control exist.
    package var hasControlFunctions: Bool { from(90600) }
    package var hasLogicalMessages: Bool { from(90600) }
    /// Whether pg_create_restore_point can be granted; before, it is a superuser's.
    package var grantsRestorePoints: Bool { from(90600) }
    /// Whether pg_stat_replication tells lags as times.
    package var tellsLagTimes: Bool { from(100_000) }
    /// Whether the roles pg_monitor, pg_read_all_stats and pg_read_all_settings exist.
    package var hasMonitorRoles: Bool { from(100_000) }
    package var hasHostRulesView: Bool { from(100_000) }
    /// Whether pg_stat_wal_receiver names the server that it receives from.
    package var namesSenderOfReceiver: Bool { from(110_000) }
    /// Whether pg_stat_wal_receiver tells what was written apart from what was flushed.
    package var tellsWrittenByReceiver: Bool { from(130_000) }
    /// Whether page checksums can be turned on in a cluster that exists, with pg_checksums.
    package var enablesChecksums: Bool { from(120_000) }
    /// Whether pg_logical_emit_message takes a fourth argument, which flushes.
    package var flushesLogicalMessages: Bool { from(170_000) }

    // MARK: - The rest

    /// Whether synchronous_commit may be remote_apply.
    package var waitsForReplay: Bool { from(90600) }
    package var showsSettings: Bool { from(100_000) }
    /// Whether in_hot_standby exists. Before 14, transaction_read_only is used instead, which may also be on at a
    /// primary.
    package var hasInHotStandbySetting: Bool { from(140_000) }
    package var showsDirectoryMode: Bool { from(110_000) }
    /// Whether the server reads postgresql.auto.conf, which ALTER SYSTEM writes.
    package var readsAutoConf: Bool { from(90400) }
    package var usesXlogName: Bool { !from(100_000) }
    package var walDirectoryName: String { usesXlogName ? "pg_xlog" : "pg_wal" }
}
