import UnderstudyProtocol

/// Finds the host that `target_session_attrs` requires if libpq cannot.
///
/// Servers before 14 do not report unasked whether they are a standby, or read-only. libpq queries them, but on a
/// physical replication connection they refuse the query (except `SHOW`, from 10 on). So each host is tried alone, in
/// the given order, and one that refuses is queried over an ordinary connection with the same login.
///
/// Source: PostgreSQL manual, "Parameter Key Words", target_session_attrs.
struct TargetSessionSearch {
    let connector: Connector
    /// The parameters of a replication connection, with one host each.
    let hosts: [ConnectionParameters]
    /// The database of the ordinary connections.
    let database: String
    let given: [ConnectionParameters.Setting]

    func connect() throws(ConnectionError) -> Session {
        let wanted = hosts.first?["target_session_attrs"] ?? "any"
        var failures: [ConnectionError] = []
        for attribute in wanted == "prefer-standby" ? ["standby", "any"] : [wanted] {
            failures = []
            for host in hosts {
                do throws(ConnectionError) {
                    let session = try connect(to: host, attribute)
                    session.givenSettings = given
                    return session
                } catch  where error.leavesOthers { failures.append(error) }
            }
        }
        let code = failures.contains { $0.code == .unsuitable } ? .unsuitable : failures.last?.code ?? .unreachable
        throw ConnectionError(
            code, failures.map(\.message).joined(separator: "\n"), server: failures.last { $0.server != nil }?.server)
    }

    private func connect(to host: ConnectionParameters, _ attribute: String) throws(ConnectionError) -> Session {
        var host = host
        host["target_session_attrs"] = attribute
        let version: ServerVersion
        do {
            let found = try connector.connect(host)
            if found.isChosen { return found.session }
            version = found.session.serverVersion
            host = host.pinned(to: found.session)
            // The password file may have an entry for the database `replication` only.
            host["password"] = found.session.password ?? host["password"]
        }
        try check(host, version, attribute)
        return try connector.connect(host).session
    }

    /// Queries the server over an ordinary connection.
    private func check(
        _ host: ConnectionParameters, _ version: ServerVersion, _ attribute: String
    ) throws(ConnectionError) {
        var ordinary = host
        ordinary["replication"] = nil
        ordinary["dbname"] = database
        let place = "server at \"\(host["host"] ?? "")\", port \(host["port"] ?? "")"
        let isReadOnly: Bool
        do throws(ConnectionError) {
            let session = try connector.connect(ordinary).session
            let rows = try session.runForRows(
                ["primary", "standby"].contains(attribute)
                    ? "SELECT pg_catalog.pg_is_in_recovery()" : "SHOW transaction_read_only")
            isReadOnly = ["on", "t"].contains(rows.rows.first?.first ?? "")
        } catch  where error.code != .interrupted && !error.leavesOthers {
            throw ConnectionError(
                .kindUnknown,
                """
                could not check target_session_attrs=\(attribute) of \(place): server version \(version) does not tell \
                over a replication connection, and an ordinary one failed: \(error.message)
                """)
        }
        guard isReadOnly != (attribute == "standby" || attribute == "read-only") else { return }
        let found =
            switch attribute {
            case "primary": "server is in hot standby mode"
            case "standby": "server is not in hot standby mode"
            case "read-write": "session is read-only"
            default: "session is not read-only"
            }
        throw ConnectionError(
            .unsuitable,
            "connection to \(place) failed: \(found)")
    }
}

extension ConnectionError {
    /// Whether libpq would try the next host. It does not after a failed login.
    fileprivate var leavesOthers: Bool {
        switch code {
        case .unreachable, .timedOut, .unsuitable: true
        case .refused: sqlState == "57P03"
        default: false
        }
    }
}
