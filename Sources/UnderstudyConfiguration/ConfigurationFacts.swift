/// What differs between server versions in the files that make a standby, chosen by `server_version_num`:
/// 90325 is 9.3.25, 150018 is 15.18.
struct ConfigurationFacts {
    enum AutoConf {
        /// Before 9.4 the server reads no file but postgresql.conf, and that may be elsewhere.
        case none
        /// `postgresql.auto.conf` in the data directory, read last: what stands there wins.
        case read
    }

    /// Recovery settings are in `recovery.conf`; else among all others, and `standby.signal` makes a standby.
    var usesRecoveryConf: Bool
    var autoConf: AutoConf
    /// Replication slots, and with them primary_slot_name.
    var hasSlots: Bool
    /// libpq's `passfile`; without it a password file is named by the server's environment.
    var hasPassfileKeyword: Bool
    /// A standby's dbname means something: it synchronises logical slots through it.
    var usesStandbyDatabase: Bool
    /// libpq can look for a server of a kind on a replication connection.
    var hasTargetSessionOnReplication: Bool
    /// What wal_level a primary must have for a standby that answers queries.
    var standbyWALLevel: String
    /// How pg_hba.conf asks for passwords, whatever hash the primary's roles have.
    var passwordMethod: String
    /// max_wal_senders take their places out of max_connections.
    var walSendersAreConnections: Bool

    init(serverVersion: Int) {
        usesRecoveryConf = serverVersion < 120_000
        autoConf = serverVersion < 90_400 ? .none : .read
        hasSlots = serverVersion >= 90_400
        hasPassfileKeyword = serverVersion >= 100_000
        usesStandbyDatabase = serverVersion >= 170_000
        hasTargetSessionOnReplication = serverVersion >= 140_000
        standbyWALLevel = serverVersion < 90_600 ? "hot_standby" : "replica"
        // Passwords are hashed with MD5 by default up to 13. There, md5 takes both kinds of hash.
        passwordMethod = serverVersion < 140_000 ? "md5" : "scram-sha-256"
        walSendersAreConnections = serverVersion < 120_000
    }
}
