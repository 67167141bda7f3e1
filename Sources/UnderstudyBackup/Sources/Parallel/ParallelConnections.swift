import Logging
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// Opens the ordinary connections of a backup, each to the same running server.
struct ParallelConnections: Sendable {
    private let parameters: ConnectionParameters
    private let server: ServerFacts
    private let stallTimeout: Duration?
    private let interrupt: Interrupt
    private let logger: Logger
    private let sql: BackupSQL
    /// Of the connection that holds the backup.
    private let facts: BackupSessionFacts?
    /// Of the replication connection: its settings, and whether the server asked it for a password.
    private let settings: [ConnectionParameters.Setting]
    private let usedPassword: Bool

    init(_ context: SourceContext, sameAs facts: BackupSessionFacts? = nil) {
        parameters = context.parameters
        server = context.server
        stallTimeout = context.options.stallTimeout
        interrupt = context.interrupt
        logger = context.logger
        sql = BackupSQL(context.server.version)
        settings = context.session.effectiveSettings
        usedPassword = context.session.password != nil
        self.facts = facts
    }

    /// Opens the connection that is to hold the backup. Refuses a role that may not do what a backup needs.
    func openFirst() throws(UnderstudyError) -> (session: Session, facts: BackupSessionFacts, isSuperuser: Bool) {
        let session = try connect()
        let isSuperuser = try session.show("is_superuser") == "on"
        if !isSuperuser { try checkPrivileges(session) }
        return (session, try identify(session), isSuperuser)
    }

    /// Opens one that is to copy.
    func open() throws(UnderstudyError) -> Session {
        let session = try connect()
        _ = try identify(session)
        return session
    }

    /// Opens one that copies at once.
    func openToCopy() throws(UnderstudyError) -> Session {
        let session = try open()
        session.standstillLimit = stallTimeout.map { $0 * Session.answerTimeFactor }
        return session
    }

    private func connect() throws(UnderstudyError) -> Session {
        let pass = logger.passingOn()
        do throws(ConnectionError) {
            let session = try OrdinaryConnection.open(parameters, interrupt, silenceLimit: stallTimeout) { message in
                // Those of the login, before it is known what the role wants to see.
                if !message.severity.hasPrefix("DEBUG") { pass(message) }
            }
            _ = try session.run(sql.settings)
            return session
        } catch { throw explained(error) }
    }

    private func identify(_ session: Session) throws(UnderstudyError) -> BackupSessionFacts {
        let found = try session.ask(sql.identity)
        let expected = BackupSessionFacts(
            processID: session.backendProcessID, startTime: facts?.startTime ?? found.startTime,
            systemIdentifier: server.identity.systemIdentifier)
        if let flaw = Self.flaw(of: found, expected: expected) { throw flaw }
        return found
    }

    /// Why a session cannot be used; nil if it can.
    ///
    /// - Parameter expected: The process that the login named, and the server that is copied.
    static func flaw(of found: BackupSessionFacts, expected: BackupSessionFacts) -> UnderstudyError? {
        if found.processID != expected.processID {
            return UnderstudyError(
                .connection, "a connection pooler is between this program and the server",
                detail:
                    "It gives each command to any of its connections, and a backup lasts as long as one connection.",
                hint: "Name the server itself, with its own port.", cause: SeveralAreRefused())
        }
        if found.systemIdentifier != expected.systemIdentifier {
            return UnderstudyError(
                .connection, "an ordinary connection reached another database cluster than the replication connection",
                detail: "The system identifiers are \(expected.systemIdentifier) and \(found.systemIdentifier).",
                hint: "Name one server: the address stands for several, by a balancer, a virtual address or DNS.",
                cause: SeveralAreRefused())
        }
        guard found.startTime != expected.startTime else { return nil }
        return UnderstudyError(
            .server, "server was restarted while the backup ran, which ended the backup", hint: "Take it again.")
    }

    // MARK: - Refusals

    /// The database of the connections.
    private var database: String { OrdinaryConnection.database(parameters) }

    /// A refusal of an ordinary connection wants another cure than one of replication.
    private func explained(_ error: ConnectionError) -> UnderstudyError {
        if error.code == .refused, ["28000", "28P01", "42501"].contains(error.sqlState) {
            return UnderstudyError(refused: error, database: database)
        }
        var failure = UnderstudyError(error)
        if error.code == .passwordNeeded { failure.hint = passwordHint }
        if error.sqlState == "3D000", failure.remedy == nil {
            failure.hint =
                "Name a database that there is, with dbname in the connection string: all are copied, whichever it is."
        }
        return failure
    }

    /// Where the password is to be put. If the replication connection had one, it was a password file's: all else holds for
    /// any database.
    private var passwordHint: String {
        var login = ConnectionSettings(
            (settings + parameters.settings).map { ConnectionSettings.Setting($0.keyword, $0.value) })
        login["password"] = "PASSWORD"
        let file = login["passfile"].map { "\"\($0)\"" } ?? "~/.pgpass"
        // libpq's own rules of looking up are those of 10 and later.
        guard usedPassword,
            let lines = try? Passfile.lines(
                login, forServer: ServerVersion.firstUnknown.number, databases: [database]), !lines.isEmpty
        else {
            return
                "Put the password into the connection string, into PGPASSWORD, or into ~/.pgpass (database name \"\(database)\")."
        }
        let texts = lines.map { "\"\($0.dropLast())\"" }
        return
            "The replication connection found its password in \(file), which has none for database \"\(database)\": add the line \(texts.joined(separator: " and ")) with the same password there."
    }

    // MARK: - Privileges

    /// Refuses a role that lacks privileges, and names all of those.
    private func checkPrivileges(_ session: Session) throws(UnderstudyError) {
        guard server.version.grantsFileFunctions else {
            throw UnderstudyError(
                .server, "role \"\(try session.ask(sql.role))\" cannot take a backup over several connections",
                detail: "Before version 11, only a superuser may read files of the server.",
                hint: "Use a superuser, or one connection.", cause: SeveralAreRefused())
        }
        let missing: [BackupPrivilege]
        do throws(UnderstudyError) { missing = try session.ask(sql.missingPrivileges) } catch {
            guard error.sqlState == "42501" else { throw error }
            throw lacks(
                BackupSQL.inquiryPrivileges + sql.privileges, of: try session.ask(sql.role),
                "Which it lacks cannot be asked: \(error.message).")
        }
        guard !missing.isEmpty else { return }
        throw lacks(
            missing, of: try session.ask(sql.role),
            "It may not use \(missing.map(\.object).joined(separator: ", ")).")
    }

    private func lacks(_ privileges: [BackupPrivilege], of role: String, _ detail: String) -> UnderstudyError {
        let lines = privileges.map { $0.grant(to: SQLText.identifier(role)) }.joined(separator: " ")
        return UnderstudyError(
            .server, "role \"\(role)\" lacks privileges for a backup over several connections", detail: detail,
            hint: "Run as a superuser in database \"\(database)\": \(lines)", cause: SeveralAreRefused())
    }
}
