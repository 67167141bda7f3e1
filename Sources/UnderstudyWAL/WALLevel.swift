/// The setting wal_level, with the values of all server versions.
package enum WALLevel: String, Hashable, Sendable, CaseIterable {
    case minimal
    /// Before 9.6: enough for a backup, not for queries on a standby.
    case archive
    /// Before 9.6; called `replica` since then.
    case hotStandby = "hot_standby"
    case replica
    case logical

    /// Whether base backups and streaming work at this level.
    package var allowsReplication: Bool {
        self != .minimal
    }

    /// Whether a standby can answer queries if its primary has this level.
    package var allowsHotStandby: Bool {
        self != .minimal && self != .archive
    }
}
