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
        if remedy == Self.wrongPeer, !KnownText.syntaxError.stands(in: server.message) { remedy = nil }
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
        // Mark the hint as the server's own.
        if let hint = error.server?.hint { self.hint = "The server says: \(hint)" }
        cause = error
    }

    /// A login that the server refused. The hint contains the line or statement that allows it, if there is one.
    private init(refused error: ConnectionError) {
        let text = error.server?.message ?? error.message
        var code = Code.authentication
        var hint: String?
        switch error.sqlState {
        case "28P01":
            hint =
                "Check the password in the connection string, PGPASSWORD or ~/.pgpass (database name \"replication\")."
        case "28000" where KnownText.hostRules.stands(in: text):
            let login = LoginHint(text, user: error.user)
            hint =
                "Add the line \"\(login.line)\" to pg_hba.conf on the primary, then reload it with: SELECT pg_reload_conf();"
                + login.oldPassword + login.doubt(error.ownAddress)
        case "28000" where !KnownText.missingRole.stands(in: text):
            hint =
                "The line of pg_hba.conf on the primary that matches this connection asks for a proof that was not given: connect in another way, as another user, or change its method."
        case "28000":
            hint =
                "Make the role on the primary: CREATE ROLE \(LoginHint.identifier(error.user ?? text.quotedParts.first)) WITH REPLICATION LOGIN PASSWORD '...';"
        case "42501":
            hint =
                "Give the role the right on the primary: ALTER ROLE \(LoginHint.identifier(error.user)) WITH REPLICATION;"
        case "53300":
            code = .server
            hint =
                KnownText.maxWALSenders.stands(in: text)
                ? "\(WALSendersInUse.raise). A run that was killed may have left senders (pg_stat_replication, state backup or startup): they end with the checkpoint that the server makes."
                : "Raise max_connections on the primary, or end connections that are not needed."
        case "57P03":
            code = .connection
            hint = "The server is starting up or shutting down; try again when it accepts connections."
        default: break
        }
        self.init(code, error.message, hint: hint, sqlState: error.sqlState)
    }

    private static let wrongPeer: Remedy =
        "A server of its version knows this command: connect to PostgreSQL itself, not to a pooler or a fork with another protocol."

    private init(server error: ConnectionError, of command: Code, slot: String?) {
        var code = command
        var hint: Remedy?
        let version = error.serverVersion
        switch error.sqlState {
        case "42710":
            code = .slot
            hint = "Choose another name, or use the slot that exists, with \(.existingSlot)."
        case "42704" where command == .slot || command == .wal:
            code = .slot
            let slot = slot ?? Self.slotName(in: error)
            hint =
                "Let it be made with \(.createSlot(slot)), or make it on the primary: \(SlotSQL.create(slot ?? "NAME", on: version))"
        case "55006":
            code = .slot
            hint = "Choose another slot, or stop the client that uses this one (pg_replication_slots, active_pid)."
        case "53400":
            code = .slot
            hint = "Raise max_replication_slots on the primary (restart needed), or drop a slot that is not needed."
        case "53300":
            hint = "Raise max_wal_senders on the primary (restart needed)."
        case "58P01":
            hint = "\(Self.keepWAL(version)) on the primary."
        case "55000" where KnownText.walLevel.stands(in: error.message):
            hint = "Set wal_level = \(Self.walLevel(version)) on the primary and restart it."
        case "XX001":
            code = .damagedPages
        case "42601", "0A000":
            hint = Self.wrongPeer
        // Up to 17 the server gives these errors no SQLSTATE of their own.
        case "XX000", "54000":
            if KnownText.fileNameTooLong.stands(in: error.message) {
                hint =
                    "Rename or remove that file on the primary: paths in a base backup have at most 99 bytes."
            } else if KnownText.noSQL.stands(in: error.message) {
                hint = Self.wrongPeer
            } else if command == .wal {
                hint =
                    "Make sure that both connections reach the same server, without a load balancer in between, and that it was not switched over meanwhile."
            }
        default: break
        }
        self.init(code, error.message, remedy: hint, sqlState: error.sqlState)
    }

    private static func walLevel(_ version: ServerVersion?) -> String {
        guard let version else { return "replica (hot_standby before 9.6)" }
        return ConfigurationFacts(serverVersion: version.number).standbyWALLevel
    }

    private static func keepWAL(_ version: ServerVersion?) -> String {
        guard let version else { return "Use a replication slot, or raise wal_keep_size (wal_keep_segments before 13)" }
        let setting = ConfigurationFacts(serverVersion: version.number).walKeepSetting
        return version.hasSlots ? "Use a replication slot, or raise \(setting)" : "Raise \(setting)"
    }

    /// The slot that the server's message quotes; nil if that cannot be a slot's name.
    private static func slotName(in error: ConnectionError) -> String? {
        (error.server?.message ?? error.message).quotedParts.first.flatMap {
            NameLimits.flaw(ofSlot: $0) == nil ? $0 : nil
        }
    }
}
