package import UnderstudyPlatform

extension Session {
    /// Connects without blocking. An interrupt ends the attempt at any moment, except while libpq looks up a host name,
    /// which it does in a blocking call.
    ///
    /// Applies `connect_timeout` to each host in turn, which libpq itself does only in its blocking calls. Applies
    /// `target_session_attrs` even to servers whose WAL senders do not answer libpq's question (``TargetSessionSearch``).
    ///
    /// - Parameters:
    ///   - applicationName: The name in pg_stat_replication, unless the user set one.
    ///   - silenceLimit: How long the server may be silent, while connecting (unless `connect_timeout` is set) and later;
    ///     nil for no limit.
    ///   - showsPassword: Whether the server may request the password itself. If not, it gets only a proof of it, by
    ///     SCRAM or MD5, or nothing. Only for a connection without encryption, where the request can be inspected.
    ///   - notices: Called on the thread that uses the session.
    package static func connect(
        _ parameters: ConnectionParameters, kind: Kind, applicationName: String, interrupt: Interrupt,
        silenceLimit: Duration? = nil, showsPassword: Bool = true,
        notices: @escaping @Sendable (ServerMessage) -> Void = { _ in }
    ) throws(ConnectionError) -> Session {
        var prepared = parameters
        switch kind {
        case .replication:
            prepared["replication"] = "true"
            // The server ignores it, but .pgpass is searched for it.
            prepared["dbname"] = "replication"
        case .ordinary(let database):
            prepared["replication"] = nil
            prepared["dbname"] = database
        }
        if prepared["fallback_application_name"] == nil { prepared["fallback_application_name"] = applicationName }
        let connector = Connector(
            interrupt: interrupt, silenceLimit: silenceLimit, showsPassword: showsPassword,
            notices: NoticeReceiver(notices))
        let choice: TargetSessionSearch
        do {
            let found = try connector.connect(prepared)
            if found.isChosen { return found.session }
            choice = TargetSessionSearch(
                connector: connector, hosts: found.session.parametersInEffect.oneByOne,
                database: parameters["dbname"] ?? "postgres", given: found.session.givenSettings)
            // The session ends here: it occupies one of the server's WAL senders.
        }
        return try choice.connect()
    }
}

/// Tries the hosts of the connection parameters until a connection succeeds.
struct Connector {
    let interrupt: Interrupt
    let silenceLimit: Duration?
    var showsPassword = true
    let notices: NoticeReceiver

    struct Found {
        var session: Session
        /// False if the WAL sender does not answer libpq's question for `target_session_attrs`. The session cannot be
        /// used then.
        var isChosen: Bool
    }

    func connect(_ parameters: ConnectionParameters) throws(ConnectionError) -> Found {
        var parameters = parameters
        var given: [ConnectionParameters.Setting]?
        while true {
            var attempt = try ConnectAttempt(parameters, interrupt: interrupt, notices: notices)
            attempt.showsPassword = showsPassword
            attempt.session.silenceLimit = silenceLimit.map { SilenceLimit(limit: $0, .failure) }
            given = given ?? attempt.session.effectiveSettings
            attempt.session.givenSettings = given ?? []
            switch try attempt.run() {
            case .connected: return Found(session: attempt.session, isChosen: true)
            case .cannotTell: return Found(session: attempt.session, isChosen: false)
            case .timedOut(let host, let port):
                parameters = attempt.session.parametersInEffect
                guard parameters.removeHost(host, port: port) else {
                    throw ConnectionError(
                        .timedOut, "connection to server at \"\(host)\", port \(port) failed: timeout expired")
                }
            }
        }
    }
}

extension Session {
    var parametersInEffect: ConnectionParameters { ConnectionParameters(effectiveSettings) }
}
