/// The differences between server versions in the files that make a standby, chosen by `server_version_num`: 90325 is
/// 9.3.25, 150018 is 15.18.
package struct ConfigurationFacts {
    enum AutoConf {
        /// Before 9.4 the server reads only postgresql.conf, which may be in another directory.
        case none
        /// `postgresql.auto.conf` in the data directory. The server reads it last, so its settings win.
        case read
    }

    /// Whether recovery settings are in `recovery.conf`. Otherwise they are ordinary settings, and `standby.signal`
    /// makes a standby.
    var usesRecoveryConf: Bool
    var autoConf: AutoConf
    /// Whether there are replication slots, and primary_slot_name.
    var hasSlots: Bool
    /// Whether libpq has `passfile`. Otherwise the server's environment names the password file.
    var hasPassfileKeyword: Bool
    /// Whether a standby uses dbname: it synchronises logical slots through that database.
    var usesStandbyDatabase: Bool
    /// Whether libpq supports target_session_attrs on a replication connection.
    var hasTargetSessionOnReplication: Bool
    /// The wal_level that a primary needs for a hot standby.
    package var standbyWALLevel: String
    /// The setting that keeps WAL for clients without a slot.
    package var walKeepSetting: String
    /// A value of that setting which keeps some 1 GB.
    package var walKeepExample: String
    /// The password method in pg_hba.conf, for any hash that the primary's roles may have.
    package var passwordMethod: String
    /// Whether max_wal_senders counts against max_connections.
    var walSendersAreConnections: Bool

    package init(serverVersion: Int) {
        usesRecoveryConf = serverVersion < 120_000
        autoConf = serverVersion < 90_400 ? .none : .read
        hasSlots = serverVersion >= 90_400
        hasPassfileKeyword = serverVersion >= 100_000
        usesStandbyDatabase = serverVersion >= 170_000
        hasTargetSessionOnReplication = serverVersion >= 140_000
        walKeepSetting = serverVersion < 130_000 ? "wal_keep_segments" : "wal_keep_size"
        walKeepExample = serverVersion < 130_000 ? "64" : "'1GB'"
        standbyWALLevel = serverVersion < 90_600 ? "hot_standby" : "replica"
        // Up to 13, passwords are hashed with MD5 by default. There, the method md5 accepts both kinds of hash.
        passwordMethod = serverVersion < 140_000 ? "md5" : "scram-sha-256"
        walSendersAreConnections = serverVersion < 120_000
    }
}
