/// The connection parameters known to the libpq of each server version. A standby uses its own libpq, and one unknown
/// keyword in primary_conninfo prevents it from connecting.
///
/// Source: `PQconninfoOptions` in `fe-connect.c` of each version.
package enum LibpqKeyword {
    /// Versions newer than the table know at least the keywords of the last one.
    package static func isKnown(_ keyword: String, serverVersion: Int) -> Bool {
        guard let range = versions[keyword] else { return false }
        return range.contains(serverVersion / 10_000)
    }

    /// Those of any version.
    package static var all: [String] { versions.keys.sorted() }

    /// Major versions by keyword. All versions before 10 count as 9: no keyword was added between 9.3 and 9.6.
    private static let versions: [String: Range<Int>] = {
        var versions: [String: Range<Int>] = [:]
        for (from, keywords) in added {
            for keyword in keywords { versions[keyword] = from..<(removed[keyword] ?? Int.max) }
        }
        return versions
    }()

    private static let removed = ["authtype": 14, "tty": 14]

    private static let added: [(from: Int, keywords: [String])] = [
        (
            0,
            [
                "application_name", "authtype", "client_encoding", "connect_timeout", "dbname",
                "fallback_application_name", "gsslib", "host", "hostaddr", "keepalives", "keepalives_count",
                "keepalives_idle", "keepalives_interval", "krbsrvname", "options", "password", "port", "replication",
                "requirepeer", "service", "sslcert", "sslcompression", "sslcrl", "sslkey", "sslmode", "sslrootcert",
                "tty", "user",
            ]
        ),
        (10, ["passfile", "target_session_attrs"]),
        (12, ["gssencmode", "tcp_user_timeout"]),
        (13, ["channel_binding", "ssl_max_protocol_version", "ssl_min_protocol_version", "sslpassword"]),
        (14, ["sslcrldir", "sslsni"]),
        (16, ["gssdelegation", "load_balance_hosts", "require_auth", "sslcertmode"]),
        (17, ["sslnegotiation"]),
        (
            18,
            [
                "max_protocol_version", "min_protocol_version", "oauth_client_id", "oauth_client_secret",
                "oauth_issuer", "oauth_scope", "scram_client_key", "scram_server_key", "sslkeylogfile",
            ]
        ),
        (19, ["oauth_ca_file", "servicefile"]),
    ]
}
