import CUnderstudyLinux
import CUnderstudyPQ
import Glibc
import UnderstudyPlatform
import UnderstudyProtocol

/// One pass through the hosts of a connection string.
struct ConnectAttempt {
    let session: Session
    /// See ``Session/connect(_:kind:applicationName:interrupt:silenceLimit:showsPassword:notices:)``.
    var showsPassword = true

    enum Outcome {
        case connected
        /// The WAL sender will not answer the question that libpq has just sent.
        case cannotTell
        case timedOut(host: String, port: String)
    }

    init(_ parameters: ConnectionParameters, interrupt: Interrupt, notices: NoticeReceiver) throws(ConnectionError) {
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
        // Makes libpq include the SQLSTATE in the text of a refused login; there is no other way to get it.
        unsafe PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
        if unsafe PQstatus(connection) == CONNECTION_BAD { throw failure() }
    }

    func run() throws(ConnectionError) -> Outcome {
        let connection = unsafe session.connection
        let clock = ContinuousClock()
        let limit = timeout
        var host = hostAndPort
        var deadline = limit.map { clock.now + $0 }
        var events = Int16.output
        var taken = 0
        var ownAddress: String?
        var hasMadeRoom = false
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
            let waiting = Int(understudy_bytes_waiting(unsafe PQsocket(connection)))
            taken += min(waiting, InputMeasure.piece)
            // All login messages fit into libpq's initial buffer.
            guard max(taken, waiting) < (hasMadeRoom ? InputMeasure.piece : InputMeasure.longestLogin) else {
                throw violation(
                    "sent or announced more than \(InputMeasure.longestLogin) bytes before the login was complete",
                    by: host)
            }
            if unsafe !showsPassword && !AuthenticationRequest.isHarmless(PQsocket(connection)) {
                throw ConnectionError(
                    .refused,
                    "server at \"\(host.host)\", port \(host.port) asks for the password itself, which it does not get")
            }
            // The address must be read now: libpq closes the socket if the login is refused.
            if let address = unsafe Self.ownAddress(of: PQsocket(connection)) { ownAddress = address }
            // Until encryption is set up, the server announces no messages, so memory that libpq allocates then is not
            // for one.
            let mayMakeRoom = unsafe PQstatus(connection) != CONNECTION_SSL_STARTUP
            session.input.begin()
            let progress = unsafe PQconnectPoll(connection)
            if mayMakeRoom, session.input.hasGrown { hasMadeRoom = true }
            switch progress {
            case PGRES_POLLING_READING: events = .input
            case PGRES_POLLING_WRITING: events = .output
            case PGRES_POLLING_OK:
                unsafe PQsetErrorVerbosity(connection, PQERRORS_DEFAULT)
                unsafe PQsetnonblocking(connection, 1)
                return .connected
            default:
                var error = failure()
                error.ownAddress = ownAddress
                throw error
            }
            if isAskingRefusedQuery { return .cannotTell }
            if hostAndPort != host {
                host = hostAndPort
                deadline = limit.map { clock.now + $0 }
            }
        }
    }

    /// Whether libpq is asking a question that WAL senders of this server version refuse. It does so for
    /// `target_session_attrs` with servers before 14; newer ones report the answer unasked.
    private var isAskingRefusedQuery: Bool {
        let isReplication = session.effectiveSettings.contains { $0.keyword == "replication" && $0.value == "true" }
        return switch unsafe PQstatus(session.connection) {
        case CONNECTION_CHECK_STANDBY: isReplication
        case CONNECTION_CHECK_WRITABLE: isReplication && !session.serverVersion.showsSettings
        default: false
        }
    }

    /// The local address of a TCP connection, in digits; nil for any other connection.
    private static func ownAddress(of socket: CInt) -> String? {
        var address = sockaddr_storage(), length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return unsafe withUnsafeMutablePointer(to: &address) { storage in
            // A sockaddr_storage holds an address of any kind, and `length` is its size.
            unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard unsafe getsockname(socket, address, &length) == 0,
                    unsafe [AF_INET, AF_INET6].contains(CInt(address.pointee.sa_family))
                else { return nil }
                return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
                    // The call writes at most the buffer's size, including the NUL.
                    guard
                        unsafe getnameinfo(
                            address, length, text.baseAddress, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
                    else { return nil }
                    return unsafe String(cString: text.baseAddress!)
                }
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

    /// `connect_timeout` as libpq interprets it: no limit if zero or negative, at least two seconds otherwise. If it is
    /// not set, the session's limit for silence applies.
    private var timeout: Duration? {
        let text = session.effectiveSettings.first { $0.keyword == "connect_timeout" }?.value ?? ""
        if text.isEmpty { return session.silenceLimit?.limit }
        guard let seconds = Int(text), seconds > 0 else { return nil }
        return .seconds(max(2, seconds))
    }

    private func violation(_ what: String, by host: HostAndPort) -> ConnectionError {
        ConnectionError(.protocolViolation, "server at \"\(host.host)\", port \(host.port) \(what)")
    }

    /// Whether libpq had to take the name of this process's user, and there is none.
    private var isRoleMissing: Bool {
        // PQuser is a C string, or NULL.
        let isNamed = unsafe PQuser(session.connection).map { unsafe $0.pointee != 0 } ?? false
        return !isNamed && userName(geteuid()) == nil
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
        } else if unsafe PQsocket(connection) < 0 && isRoleMissing {
            code = .roleMissing
        } else if unsafe PQsocket(connection) < 0 && PQstatus(connection) == CONNECTION_BAD
            && KnownText.invalidParameters.stands(in: text)
        {
            code = .parameters
        } else if text.lines.contains(where: { KnownText.otherSessionKind.stands(in: $0) }) {
            code = .unsuitable
        } else {
            code = .unreachable
        }
        var error = ConnectionError(code, refusal.text, server: refusal.server)
        // libpq's string ends with the connection, so it is copied.
        error.user = unsafe PQuser(connection).map { unsafe String(cString: $0) }
        error.isShortage = KnownText.shortage.stands(in: text)
        return error
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
