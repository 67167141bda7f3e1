/// The connection of a standby to its primary: the value of primary_conninfo for a server version.
package struct PrimaryConnInfo: Hashable, Sendable {
    package var settings: ConnectionSettings
    /// The given keywords that this server's libpq does not know or cannot use, in the given order. The standby
    /// connects without them; that deserves a warning.
    package var dropped: [String]
    /// A password file that must be named in the server's environment, as PGPASSFILE: before 10 there is no keyword for
    /// it.
    package var environmentPassfile: String?

    package var conninfo: String { settings.conninfo }

    /// Keeps the settings of a working connection that the standby needs.
    ///
    /// - Parameters:
    ///   - connection: The settings in effect, from libpq's `PQconninfo`, with services and environment resolved. A
    ///     server before 10 supports only one host, so there host and port must be those of the primary that was found.
    ///   - password: The password that was used, from any source; nil if the server asked for none. Then the password
    ///     file is left out, too (`PQconninfo` always names one).
    ///   - readsPassfile: Whether the standby's user can read the password file of the settings. If not, or if the
    ///     server's libpq has no such keyword, the password itself is kept.
    ///   - dbname: The database that the user named. Written only for 17 and newer, where it has a meaning.
    ///   - passfile: A password file that holds the password; the password itself is then left out.
    package init(
        _ connection: ConnectionSettings, forServer serverVersion: Int, password: String? = nil,
        readsPassfile: Bool = true, dbname: String? = nil,
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
        } else if kept["password"] != nil || password == nil || !readsPassfile || !facts.hasPassfileKeyword {
            // libpq reads a password file only if it needs a password and has none.
            kept["passfile"] = nil
            dropped.removeAll { $0 == "passfile" }
            if kept["password"] == nil { kept["password"] = password }
        }
        settings = kept
    }

    /// False for settings that the server adds itself, that are already resolved, or that are libpq's defaults.
    private static func isWorthKeeping(_ setting: ConnectionSettings.Setting) -> Bool {
        !setting.value.isEmpty && !settled.contains(setting.keyword) && defaults[setting.keyword] != setting.value
    }

    private static let settled: Set<String> = [
        "dbname", "fallback_application_name", "replication", "service", "servicefile",
    ]

    /// Values that `PQconninfo` reports by default.
    private static let defaults = [
        "channel_binding": "prefer", "gssdelegation": "0", "gssencmode": "prefer", "krbsrvname": "postgres",
        "load_balance_hosts": "disable", "ssl_min_protocol_version": "TLSv1.2", "sslcertmode": "allow",
        "sslcompression": "0", "sslmode": "prefer", "sslnegotiation": "postgres", "sslsni": "1",
        "target_session_attrs": "any",
    ]

    /// False for a known keyword whose value is unknown, or that cannot be used on a replication connection.
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

// MARK: - Of a connection that was not made

extension PrimaryConnInfo {
    /// Where the password goes.
    package enum PasswordPlace: Sendable, Equatable {
        case inline
        /// A password file.
        case file(String)
        case leftOut
    }

    /// Keeps what the user gave, as far as the server's libpq knows it: nothing is resolved and nothing added.
    ///
    /// - Parameters:
    ///   - given: The settings of a connection string, from libpq's `PQconninfoParse`.
    ///   - password: The password, if it is not among them.
    /// - Throws: For several hosts before 10, where libpq takes the list for the name of one.
    package init(
        given: ConnectionSettings, forServer serverVersion: Int, password: String?, in place: PasswordPlace
    ) throws(Finding) {
        let facts = ConfigurationFacts(serverVersion: serverVersion)
        if !facts.hasPassfileKeyword, ["host", "hostaddr"].contains(where: { given[$0]?.contains(",") ?? false }) {
            throw Finding(
                "several hosts for the primary of a standby before version 10",
                hint: "Name one: older standbys take one.")
        }
        var kept = ConnectionSettings()
        dropped = []
        for setting in given.settings where !setting.value.isEmpty && !Self.addedByServer.contains(setting.keyword) {
            if setting.keyword == "dbname", !facts.usesStandbyDatabase { continue }
            if LibpqKeyword.isKnown(setting.keyword, serverVersion: serverVersion),
                Self.isUsable(setting, facts, serverVersion: serverVersion)
            {
                kept[setting.keyword] = setting.value
            } else {
                dropped.append(setting.keyword)
            }
        }
        switch place {
        case .inline: if kept["password"] == nil, let password, !password.isEmpty { kept["password"] = password }
        case .leftOut: kept["password"] = nil
        case .file(let path):
            kept["password"] = nil
            dropped.removeAll { $0 == "passfile" }
            if facts.hasPassfileKeyword { kept["passfile"] = path } else { environmentPassfile = path }
        }
        // Before 10 only the server's environment names a password file.
        if environmentPassfile == nil, let index = dropped.firstIndex(of: "passfile") {
            environmentPassfile = given["passfile"]
            dropped.remove(at: index)
        }
        settings = kept
    }

    private static let addedByServer: Set<String> = ["fallback_application_name", "replication"]
}
