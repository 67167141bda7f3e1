/// A server's version, and every difference of the replication protocol that depends on it.
package struct ServerVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// As `server_version_num`: 90326, 150018.
    package let number: Int

    package init(number: Int) {
        self.number = number
    }

    package static func < (left: ServerVersion, right: ServerVersion) -> Bool {
        left.number < right.number
    }

    /// `9.6` or `15`: what a data directory and its programs must agree on.
    package var major: String {
        number >= 100_000 ? "\(number / 10000)" : "\(number / 10000).\(number / 100 % 100)"
    }

    /// `9.6.24` or `15.18`.
    package var description: String {
        number >= 100_000 ? "\(number / 10000).\(number % 10000)" : "\(major).\(number % 100)"
    }

    package static let oldestServed = ServerVersion(number: 90300)
    /// Versions from this one on are tried, with a warning.
    package static let firstUnknown = ServerVersion(number: 200_000)

    private func from(_ number: Int) -> Bool { self.number >= number }

    // MARK: - Replication slots

    package var hasSlots: Bool { from(90400) }
    package var reservesWALOnSlotCreation: Bool { from(90600) }
    package var hasTemporarySlots: Bool { from(100_000) }
    package var hasReceiverView: Bool { from(90600) }
    package var readsSlots: Bool { from(150_000) }
    package var tellsSlotWALStatus: Bool { from(130_000) }
    package var tellsInvalidationReason: Bool { from(170_000) }
    /// From max_slot_wal_keep_size on.
    package var invalidatesSlots: Bool { from(130_000) }
    /// Whether an invalidated slot stays so; before, the next flush position that it is told revives it.
    package var keepsSlotsInvalidated: Bool { from(160_000) }
    /// Whether a stream from an invalidated slot is refused.
    package var refusesInvalidatedSlots: Bool { from(180_000) }

    // MARK: - BASE_BACKUP

    package var limitsBackupRate: Bool { from(90400) }
    package var verifiesPageChecksums: Bool { from(110_000) }
    package var hasManifest: Bool { from(130_000) }
    /// Whether a backup manifest has the system identifier: its version 2.
    package var namesSystemInManifest: Bool { from(170_000) }
    /// tablespace_map, in place of symbolic links where it is asked for.
    package var hasTablespaceMap: Bool { from(90500) }
    /// One parenthesised list of options instead of bare keywords, and one copy stream instead of one per archive.
    package var hasOptionLists: Bool { from(150_000) }

    // MARK: - The rest

    package var showsSettings: Bool { from(100_000) }
    /// Whether in_hot_standby tells a standby; before, what it has in common with a primary that is told to be read-only.
    package var tellsHotStandby: Bool { from(140_000) }
    package var showsDirectoryMode: Bool { from(110_000) }
    /// postgresql.auto.conf, where ALTER SYSTEM writes.
    package var readsAutoConf: Bool { from(90400) }
    package var usesXlogName: Bool { !from(100_000) }
    package var walDirectoryName: String { usesXlogName ? "pg_xlog" : "pg_wal" }
    /// Whether the server accepts a standby only at `hot_standby` or above, or at `replica`.
    package var namesReplicaWALLevel: Bool { from(90600) }
}
