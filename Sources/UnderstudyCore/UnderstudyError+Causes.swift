import UnderstudyConfiguration
package import UnderstudyConnection
package import UnderstudyPlatform
package import UnderstudyProtocol
package import UnderstudyStreaming

extension UnderstudyError {
    package init(_ error: FileIOError, else code: Code = .fileSystem) {
        if error.isInterruption {
            self.init(.cancelled, "interrupted", cause: error)
            return
        }
        self.init(
            error.isNoSpace ? .noSpace : error.isShortage ? .resources : code, error.description, hint: error.remedy,
            cause: error)
    }

    package init(_ error: ProtocolError) {
        self.init(
            .protocolViolation, error.message, hint: "Make sure that a PostgreSQL server answers at this address.",
            cause: error)
    }

    package init(_ error: ReceiveError) {
        if let connection = error.connection {
            self.init(connection, of: .wal)
            message = "\(Self.streamFailed)\(message)"
        } else if let destination = error.destination {
            self.init(destination)
        } else {
            self.init(
                error.code == .protocolViolation ? .protocolViolation : .wal, error.message,
                hint: Self.hint(for: error.code), cause: error)
        }
    }

    private static func hint(for code: ReceiveError.Code) -> String? {
        switch code {
        case .endedEarly: "The server was probably shut down: try again when it is up."
        case .otherWAL:
            "What it sent was not kept. Check the server's files in pg_wal: some may have been copied or renamed there."
        default: nil
        }
    }

    package init(_ error: WALDestinationError) {
        if let file = error.file {
            self.init(file)
        } else {
            self.init(error.isTemporary ? .noSpace : .fileSystem, error.message)
        }
        detail = error.detail ?? detail
        if let hint = error.hint { self.hint = hint }
        cause = error
    }

    // MARK: - Connections

    /// - Parameters:
    ///   - command: The code for a server's error that has no more specific one.
    ///   - slot: The slot that the command names, if there is one.
    ///   - attempt: Stands before the server's error, with its severity, as in the stock tools' messages: `could not initiate
    ///     base backup`.
    package init(_ error: ConnectionError, of command: Code = .server, slot: String? = nil, attempt: String?) {
        self.init(error, of: command, slot: slot)
        guard let attempt, error.code == .server, let server = error.server else { return }
        message = "\(attempt): \(server.severity):  \(server.message)"
        // The command is known, and the server judges its words.
        guard remedy == Self.wrongPeer, !KnownText.syntaxError.stands(in: server.message) else { return }
        hint = server.hint.map { "\(Self.serverHint)\($0)" }
    }

    /// - Parameters:
    ///   - command: The code for a server's error that has no more specific one.
    ///   - slot: The slot that the command names, if there is one.
    package init(_ error: ConnectionError, of command: Code = .server, slot: String? = nil) {
        switch error.code {
        case .interrupted: self.init(.cancelled, "interrupted")
        case .parameters:
            self.init(
                .options, error.message,
                hint: "Write keyword=value pairs, as in \"host=10.0.0.1 user=r\", or a postgresql:// URI.")
        case .roleMissing:
            self.init(
                .options, error.message,
                remedy: "No role is named, and the user that runs this has no name here. Name the role: \(.role)")
        case .unreachable where KnownText.untrustedCertificate.stands(in: error.message):
            self.init(
                .authentication, error.message,
                hint:
                    "Check that sslrootcert holds the authority that signed the server's certificate, and that the certificate has not expired."
            )
        case .unreachable where KnownText.certificateOfOtherHost.stands(in: error.message):
            self.init(
                .authentication, error.message,
                hint:
                    "Connect by a name that stands in the server's certificate (hostaddr may say where it is), or have it issued for this one."
            )
        case .unreachable where KnownText.certificateOrKey.stands(in: error.message):
            self.init(
                .authentication, error.message,
                hint: "Check the files that sslrootcert, sslcert and sslkey name, and that you may read them.")
        case .unreachable where error.isShortage:
            self.init(
                .resources, error.message,
                hint:
                    "Raise the limits on open files (ulimit -n) and threads (ulimit -u) of the user that runs this, or of its container."
            )
        case .unreachable:
            self.init(
                .connection, error.message,
                hint: "Check host and port, that the server runs, and that its listen_addresses lets it be reached.")
        case .timedOut:
            self.init(
                .connection, error.message,
                hint: "Check the route to the server and firewalls, or raise connect_timeout in the connection string.")
        case .unsuitable:
            self.init(
                .connection, error.message,
                hint:
                    "Name a server of the kind that target_session_attrs asks for, or ask for another kind; without it any server will do."
            )
        case .kindUnknown:
            self.init(
                .connection, error.message,
                hint:
                    "Name the server that is meant alone, without target_session_attrs, or let the role connect to a database in pg_hba.conf there, too."
            )
        case .passwordNeeded:
            self.init(
                .passwordNeeded, error.message,
                hint:
                    "Put the password into the connection string, into PGPASSWORD, or into ~/.pgpass (database name \"replication\").",
                sqlState: error.sqlState)
        case .refused: self.init(refused: error)
        case .lost:
            let hint =
                error.sqlState == "57P01"
                ? "An administrator ended this connection or stopped the server: ask, and try again when that is over."
                : "The server's log says whether it was stopped, crashed, or ended this connection."
            self.init(.connection, error.message, hint: hint, sqlState: error.sqlState)
        case .stalled:
            self.init(
                .connection, error.message,
                remedy:
                    "Check the network, and whether the server and its storage respond; \(.stallTimeout) sets how long it may be silent."
            )
        case .protocolViolation: self.init(.protocolViolation, error.message)
        case .falseStatus:
            self.init(
                .connection, error.message,
                detail: "This is a fault of Understudy. The server has not heard of it, and keeps what it kept.",
                hint: "Report it, with the output of the run.")
        case .server: self.init(server: error, of: command, slot: slot)
        }
        if let detail = error.server?.detail { self.detail = detail }
        // Ours names what the server's cannot.
        if remedy == nil || remedy == Self.wrongPeer, let hint = error.server?.hint {
            self.hint = "\(Self.serverHint)\(hint)"
        }
        cause = error
    }
}
