import CUnderstudyPQ
import Glibc
package import UnderstudyFileIO

extension Session {
    /// Connects, without blocking: an interrupt ends the attempt at any moment, but while libpq looks up the address of
    /// a host name, which it does in a blocking call.
    ///
    /// `target_session_attrs` holds with servers of any age; before 14 it takes an ordinary connection as well.
    ///
    /// Honours `connect_timeout` for each host in turn, which libpq itself does only in its blocking calls.
    ///
    /// - Parameter patience: How long the server may be silent, while it is connected to (unless `connect_timeout` is
    ///   given) and later; nil for ever.
    /// - Parameters:
    ///   - applicationName: The name in pg_stat_replication unless the user gave one.
    ///   - notices: Called on the thread that uses the session.
    package static func connect(
        _ parameters: ConnectionParameters, kind: Kind, applicationName: String, interrupt: Interrupt,
        patience: Duration? = nil, notices: @escaping @Sendable (ServerMessage) -> Void = { _ in }
    ) throws(ConnectionError) -> Session {
        do throws(ConnectionError) {
            return try connectAsGiven(
                parameters, kind: kind, applicationName: applicationName, interrupt: interrupt, patience: patience,
                notices: notices)
        } catch  where kind.isReplication && error.isRefusedProbe {
            let host = try chooseHost(
                parameters, applicationName: applicationName, interrupt: interrupt, patience: patience)
            return try connectAsGiven(
                host, kind: kind, applicationName: applicationName, interrupt: interrupt, patience: patience,
                notices: notices)
        }
    }

    /// Finds the host that `target_session_attrs` wants, over an ordinary connection.
    ///
    /// libpq asks a server before 14 what it is with a query, which a WAL sender of that age refuses.
    private static func chooseHost(
        _ parameters: ConnectionParameters, applicationName: String, interrupt: Interrupt, patience: Duration?
    ) throws(ConnectionError) -> ConnectionParameters {
        let chosen: Session
        do throws(ConnectionError) {
            chosen = try connectAsGiven(
                parameters, kind: .ordinary(database: parameters["dbname"] ?? "postgres"),
                applicationName: applicationName, interrupt: interrupt, patience: patience, notices: { _ in })
        } catch {
            // A server that is reached and is not what was wanted is no mystery.
            if error.code == .interrupted || error.isUnwantedSession { throw error }
            throw ConnectionError(
                .attributesUnknown,
                "target_session_attrs cannot be checked on a server before 14 without an ordinary connection: \(error.message)"
            )
        }
        var parameters = parameters
        let address = unsafe PQhostaddr(chosen.connection).map { unsafe String(cString: $0) } ?? ""
        parameters["host"] = chosen.host
        // An address that was looked up may be another host's the next time; one that was given stays with its host.
        let gaveAddress = chosen.effectiveSettings.contains { $0.keyword == "hostaddr" && !$0.value.isEmpty }
        parameters["hostaddr"] = gaveAddress ? address : nil
        parameters["port"] = chosen.port
        // Said, so that the environment does not say otherwise.
        parameters["target_session_attrs"] = "any"
        return parameters
    }

    private static func connectAsGiven(
        _ parameters: ConnectionParameters, kind: Kind, applicationName: String, interrupt: Interrupt,
        patience: Duration?, notices: @escaping @Sendable (ServerMessage) -> Void
    ) throws(ConnectionError) -> Session {
        var parameters = parameters
        switch kind {
        case .replication:
            parameters["replication"] = "true"
            // The server ignores it, but .pgpass is searched for it.
            parameters["dbname"] = "replication"
        case .ordinary(let database):
            parameters["replication"] = nil
            parameters["dbname"] = database
        }
        if parameters["fallback_application_name"] == nil { parameters["fallback_application_name"] = applicationName }
        while true {
            let attempt = try Attempt(parameters, interrupt: interrupt, notices: NoticeBox(notices))
            attempt.session.patience = patience.map { Patience(limit: $0, .failure) }
            switch try attempt.run() {
            case .connected: return attempt.session
            case .timedOut(let host, let port):
                var rest = try ConnectionParameters("")
                for setting in attempt.session.effectiveSettings { rest[setting.keyword] = setting.value }
                guard rest.removeHost(host, port: port) else {
                    throw ConnectionError(
                        .timedOut, "connection to server at \"\(host)\", port \(port) failed: timeout expired")
                }
                parameters = rest
            }
        }
    }
}

/// One run through the hosts of a connection string.
private struct Attempt {
    let session: Session

    enum Outcome {
        case connected
        case timedOut(host: String, port: String)
    }

    init(_ parameters: ConnectionParameters, interrupt: Interrupt, notices: NoticeBox) throws(ConnectionError) {
        let keywords = parameters.settings.map(\.keyword), values = parameters.settings.map(\.value)
        let connection = unsafe withCStrings(keywords) { keywords in
            // Both lists end with nil, and libpq copies what it keeps.
            unsafe withCStrings(values) { values in unsafe PQconnectStartParams(keywords, values, 0) }
        }
        guard let connection = unsafe connection else {
            throw ConnectionError(.unreachable, "could not connect to server: out of memory")
        }
        unsafe notices.listen(to: connection)
        session = unsafe Session(connection: connection, interrupt: interrupt, notices: notices)
        // Makes libpq put the SQLSTATE into the text of a refused login, where there is no other way to it.
        unsafe PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
        if unsafe PQstatus(connection) == CONNECTION_BAD { throw failure() }
    }

    func run() throws(ConnectionError) -> Outcome {
        let connection = unsafe session.connection
        let clock = ContinuousClock()
        let limit = timeout
        var host = hostAndPort
        var deadline = limit.map { clock.now + $0 }
        var events = Int16.inputOrOutput & ~.input
        while true {
            let left = deadline.map { $0 - clock.now }
            if let left, left <= .zero { return .timedOut(host: host.host, port: host.port) }
            let outcome = Interrupt.wait(
                socket: unsafe PQsocket(connection), events: events, interrupts: [session.interrupt], timeout: left)
            switch outcome {
            case .interrupted: throw ConnectionError(.interrupted, "interrupted")
            case .timedOut: continue
            case .ready: break
            }
            switch unsafe PQconnectPoll(connection) {
            case PGRES_POLLING_READING: events = .input
            case PGRES_POLLING_WRITING: events = .inputOrOutput & ~.input
            case PGRES_POLLING_OK:
                unsafe PQsetErrorVerbosity(connection, PQERRORS_DEFAULT)
                unsafe PQsetnonblocking(connection, 1)
                return .connected
            default: throw failure()
            }
            if hostAndPort != host {
                host = hostAndPort
                deadline = limit.map { clock.now + $0 }
            }
        }
    }

    private var hostAndPort: HostAndPort {
        HostAndPort(host: session.host, port: session.port)
    }

    private struct HostAndPort: Equatable {
        var host: String
        var port: String
    }

    /// `connect_timeout` as libpq reads it: none if zero or negative, at least two seconds. Without one the session's
    /// patience holds.
    private var timeout: Duration? {
        let text = session.effectiveSettings.first { $0.keyword == "connect_timeout" }?.value ?? ""
        if text.isEmpty { return session.patience?.limit }
        guard let seconds = Int(text), seconds > 0 else { return nil }
        return .seconds(max(2, seconds))
    }

    private func failure() -> ConnectionError {
        let connection = unsafe session.connection
        let text = unsafe String(cString: PQerrorMessage(connection)).trimmedLines
        let refusal = LoginRefusal(text)
        let code: ConnectionError.Code
        if unsafe PQconnectionNeedsPassword(connection) == 1 {
            code = .passwordNeeded
        } else if refusal.server != nil {
            code = .refused
        } else if unsafe PQsocket(connection) < 0 && PQstatus(connection) == CONNECTION_BAD
            && text.hasPrefix("invalid ")
        {
            code = .parameters
        } else {
            code = .unreachable
        }
        return ConnectionError(code, refusal.text, server: refusal.server)
    }
}

/// Calls `body` with the strings as a list of C strings that ends with nil.
@unsafe private func withCStrings<Value>(
    _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Value
) -> Value {
    let copies = unsafe strings.map { unsafe strdup($0) }
    defer { unsafe copies.forEach { unsafe free($0) } }
    let list: [UnsafePointer<CChar>?] = unsafe copies.map { unsafe UnsafePointer($0) } + [nil]
    return unsafe list.withUnsafeBufferPointer { unsafe body($0.baseAddress!) }
}
