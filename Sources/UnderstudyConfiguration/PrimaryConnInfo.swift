/// How a standby connects to its primary: the value of primary_conninfo for a server version.
package struct PrimaryConnInfo: Hashable, Sendable {
    package var settings: ConnectionSettings
    /// The keywords that were given and that this server's libpq does not know or cannot use, in the order given.
    /// The standby connects without them: worth a warning.
    package var dropped: [String]
    /// A password file that the server must be told of in its environment, as PGPASSFILE: before 10 no keyword
    /// names it.
    package var environmentPassfile: String?

    package var conninfo: String { settings.conninfo }

    /// Keeps what the standby needs of a working connection's settings.
    ///
    /// - Parameters:
    ///   - connection: The settings in force, as libpq's `PQconninfo` gives them: services and environment are
    ///     resolved. For a server before 10, which knows one host only, host and port must be those of the
    ///     primary that was found.
    ///   - usedPassword: Whether the connection was asked for a password. If not, the password file that libpq
    ///     would have looked into (`PQconninfo` always names one) is left out.
    ///   - dbname: The database that the user named. Written for 17 and newer only, where it has a meaning.
    ///   - passfile: A password file that holds the password, which is then left out.
    package init(
        _ connection: ConnectionSettings, forServer serverVersion: Int, usedPassword: Bool = true,
        dbname: String? = nil,
        passfile: String? = nil
    ) {
        let facts = ConfigurationFacts(serverVersion: serverVersion)
        var kept = ConnectionSettings()
        dropped = []
        for setting in connection.settings where Self.isWorthKeeping(setting) {
            if LibpqKeyword.isKnown(setting.keyword, serverVersion: serverVersion),
                Self.isUsable(setting, facts, serverVersion: serverVersion)
            {
                kept[setting.keyword] = setting.value
            } else {
                dropped.append(setting.keyword)
            }
        }
        if let dbname, !dbname.isEmpty, facts.usesStandbyDatabase { kept["dbname"] = dbname }
        if let passfile {
            kept["password"] = nil
            dropped.removeAll { $0 == "passfile" }
            if facts.hasPassfileKeyword { kept["passfile"] = passfile } else { environmentPassfile = passfile }
        } else if kept["password"] != nil || !usedPassword {
            // libpq looks into a password file only where it needs a password and has none.
            kept["passfile"] = nil
            dropped.removeAll { $0 == "passfile" }
        }
        settings = kept
    }

    /// Not what the server sets by itself, what is resolved already, and what libpq assumes anyway.
    private static func isWorthKeeping(_ setting: ConnectionSettings.Setting) -> Bool {
        !setting.value.isEmpty && !settled.contains(setting.keyword) && defaults[setting.keyword] != setting.value
    }

    private static let settled: Set<String> = [
        "dbname", "fallback_application_name", "replication", "service", "servicefile",
    ]

    /// What `PQconninfo` reports though nobody set it.
    private static let defaults = [
        "channel_binding": "prefer", "gssdelegation": "0", "gssencmode": "prefer", "krbsrvname": "postgres",
        "load_balance_hosts": "disable", "ssl_min_protocol_version": "TLSv1.2", "sslcertmode": "allow",
        "sslcompression": "0", "sslmode": "prefer", "sslnegotiation": "postgres", "sslsni": "1",
        "target_session_attrs": "any",
    ]

    /// Keywords that are known, but not this value, or not on a replication connection.
    private static func isUsable(
        _ setting: ConnectionSettings.Setting, _ facts: ConfigurationFacts, serverVersion: Int
    ) -> Bool {
        switch (setting.keyword, setting.value) {
        case ("target_session_attrs", _): facts.hasTargetSessionOnReplication
        case ("sslrootcert", "system"): serverVersion >= 160_000
        default: true
        }
    }
}
