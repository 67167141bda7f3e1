import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// The two ways to ask a server that is checked: by SQL, and over the replication protocol, which is how a standby comes, too.
struct CheckConnections {
    let role: ReplicationCheck.Role
    private(set) var sql: Session?
    private(set) var replication: Session?
    /// Of the ordinary connection.
    private(set) var situation: CheckSQL.Situation?
    private(set) var refusal: UnderstudyError?
    private(set) var replicationRefusal: UnderstudyError?

    private static let silenceLimit = Duration.seconds(30)

    /// What cannot be reached in either way is thrown.
    ///
    /// - Parameter password: For a server that asks for one, where nothing else provides it.
    init(
        _ role: ReplicationCheck.Role, _ source: ConnectionString, password: String?, _ interrupt: Interrupt,
        _ logger: Logger
    ) throws(UnderstudyError) {
        self.role = role
        var login = Login(
            parameters: try ConnectionParameters(reading: source), password: password, interrupt: interrupt)
        if login.parameters["connect_timeout"] == nil { login.parameters["connect_timeout"] = "10" }
        do throws(ConnectionError) {
            sql = try login.connect { parameters throws(ConnectionError) in
                try OrdinaryConnection.open(parameters, interrupt, silenceLimit: Self.silenceLimit)
            }
        } catch {
            let database = OrdinaryConnection.database(login.parameters)
            let refusal = localised(
                error.code == .refused ? UnderstudyError(refused: error, database: database) : UnderstudyError(error))
            // Nothing else would come of another attempt.
            if Self.endsAttempts(error) { throw refusal }
            self.refusal = refusal
        }
        if let sql {
            login.parameters = login.parameters.pinned(to: sql)
            situation = try sql.ask(CheckSQL.situation(sql.serverVersion))
            // It would only be a FATAL in the server's log.
            if situation?.mayReplicate == false { return }
        }
        do throws(ConnectionError) {
            replication = try login.connect { parameters throws(ConnectionError) in
                try Session.connect(
                    parameters, kind: .replication, applicationName: "understudy", interrupt: interrupt,
                    silenceLimit: Self.silenceLimit)
            }
        } catch {
            if error.code == .interrupted { throw UnderstudyError(error) }
            replicationRefusal = localised(WALSendersInUse.explain(error, login.parameters, interrupt))
        }
        guard sql == nil, replication == nil else { return }
        // A password that was given may do for one of them.
        for error in [refusal, replicationRefusal].compactMap({ $0 }) where error.code == .passwordNeeded {
            throw error
        }
        throw (role == .primary ? replicationRefusal : refusal)
            ?? UnderstudyError(.connection, "could not connect to the server")
    }

    private static func endsAttempts(_ error: ConnectionError) -> Bool {
        [.interrupted, .parameters, .roleMissing, .unreachable, .timedOut, .unsuitable].contains(error.code)
            || error.sqlState == "57P03"
    }

    /// The hints are written for a primary. Of a standby it is the file that is its own; roles are the primary's.
    private func localised(_ error: UnderstudyError) -> UnderstudyError {
        var error = error
        if role == .standby, let hint = error.hint, error.remedy?.steps.isEmpty == true {
            error.hint = hint.replacing("pg_hba.conf on the primary", with: "pg_hba.conf on the standby")
        }
        return error
    }

    private var anySession: Session? { sql ?? replication }

    var place: String { anySession.map { "\"\($0.host)\", port \($0.port)" } ?? "" }
    var port: String? { anySession?.port }
    var version: ServerVersion { anySession?.serverVersion ?? .oldestSupported }
}

/// How to log in to a server that is checked.
private struct Login {
    var parameters: ConnectionParameters
    let password: String?
    let interrupt: Interrupt

    /// Connects, and once more with the password if the server asks for one that nothing else provides.
    mutating func connect(
        _ open: (ConnectionParameters) throws(ConnectionError) -> Session
    ) throws(ConnectionError) -> Session {
        do throws(ConnectionError) { return try open(parameters) } catch {
            guard error.code == .passwordNeeded, let password else { throw error }
            parameters["password"] = password
            return try open(parameters)
        }
    }
}
