/// Hints that name a setting of the primary, with statements that can be pasted into psql there.
///
/// The version is that of the server, as `server_version_num`; nil if it is not known, as before a login.
package enum PrimaryHint {
    /// - Parameters:
    ///   - restart: Whether the settings count only after a restart.
    ///   - server: Which server it is for.
    package static func set(
        _ settings: KeyValuePairs<String, String>, on version: Int?, restart: Bool = true, server: String = "primary"
    ) -> String {
        let end = restart ? "then restart it" : "then: SELECT pg_reload_conf();"
        if let version, ConfigurationFacts(serverVersion: version).autoConf == .none {
            let lines = settings.map { "\($0.key) = \(SettingText.value($0.value))" }.joined(separator: " and ")
            return "Set \(lines) in postgresql.conf on the \(server) (SHOW config_file; names it), \(end)"
        }
        let statements = settings.map { SettingText.alterSystem($0.key, $0.value) }.joined(separator: " ")
        return "On the \(server): \(statements) \(end)"
    }

    /// What makes a primary write WAL that a standby can use.
    package static func raiseWALLevel(_ version: Int?) -> String {
        "\(set(["wal_level": walLevel(version)], on: version)).\(note(version))"
    }

    /// What allows more WAL senders.
    ///
    /// - Parameter current: How many there may be now; nil if that is not known. If none, wal_level may be too low, too:
    ///   a server with `minimal` starts only with none.
    package static func raiseWALSenders(_ current: Int?, on version: Int?) -> String {
        // The server's words may hold any number; it takes at most 262143.
        let wanted = "\(min(current ?? 10, 262_133) + 10)"
        guard current == 0 else {
            return "\(set(["max_wal_senders": wanted], on: version)). A backup that streams WAL takes two senders."
        }
        return "\(set(["max_wal_senders": wanted, "wal_level": walLevel(version)], on: version)).\(note(version))"
    }

    /// What allows more slots, or frees one.
    package static func raiseSlots(_ version: Int?) -> String {
        "\(set(["max_replication_slots": "20"], on: version)), or drop a slot that nobody needs: SELECT slot_name, active, restart_lsn FROM pg_replication_slots;"
    }

    /// What keeps WAL for a client without a slot.
    package static func keepWAL(_ version: Int?) -> String {
        guard let version else {
            return "Use a replication slot, or raise wal_keep_size (wal_keep_segments before 13)."
        }
        let facts = ConfigurationFacts(serverVersion: version)
        let raise = set([facts.walKeepSetting: facts.walKeepExample], on: version, restart: false)
        return facts.hasSlots ? "Use a replication slot, or \(raise.prefix(1).lowercased())\(raise.dropFirst())" : raise
    }

    private static func walLevel(_ version: Int?) -> String {
        version.map { ConfigurationFacts(serverVersion: $0).standbyWALLevel } ?? "replica"
    }

    private static func note(_ version: Int?) -> String {
        version == nil ? " Before 9.6 that level is called hot_standby." : ""
    }
}
