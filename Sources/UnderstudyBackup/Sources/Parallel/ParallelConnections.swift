import Logging
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

    init(_ context: SourceContext, sameAs facts: BackupSessionFacts? = nil) {
        parameters = context.parameters
        server = context.server
        stallTimeout = context.options.stallTimeout
        interrupt = context.interrupt
        logger = context.logger
        sql = BackupSQL(context.server.version)
        self.facts = facts
    }

    func open() throws(UnderstudyError) -> (session: Session, facts: BackupSessionFacts) {
        let session: Session
        do throws(ConnectionError) {
            session = try Session.connect(
                parameters, kind: .ordinary(database: OrdinaryConnection.database(parameters)),
                applicationName: "understudy", interrupt: interrupt,
                silenceLimit: stallTimeout, notices: logger.passingOn())
            _ = try session.run(sql.settings)
        } catch { throw explained(error) }
        let found = try session.ask(sql.identity)
        guard found.processID == session.backendProcessID else {
            throw UnderstudyError(
                .connection, "a connection pooler is between this program and the server",
                detail:
                    "It gives each command to any of its connections, and a backup lasts as long as one connection.",
                hint: "Name the server itself, with its own port.")
        }
        guard found.systemIdentifier == server.identity.systemIdentifier else {
            throw UnderstudyError(
                .connection, "an ordinary connection reached another database cluster than the replication connection",
                detail:
                    "The system identifiers are \(server.identity.systemIdentifier) and \(found.systemIdentifier).",
                hint: "Name one server: the address stands for several, by a balancer, a virtual address or DNS.")
        }
        if let facts, found.startTime != facts.startTime {
            throw UnderstudyError(
                .server, "server was restarted while the backup ran, which ended the backup",
                hint: "Take it again.")
        }
        return (session, found)
    }

    /// A refusal of an ordinary connection wants another cure than one of replication.
    private func explained(_ error: ConnectionError) -> UnderstudyError {
        guard error.code == .refused, ["28000", "28P01", "42501"].contains(error.sqlState) else {
            return UnderstudyError(error)
        }
        return UnderstudyError(refused: error, database: OrdinaryConnection.database(parameters))
    }

    /// Refuses a role that lacks privileges, and names those.
    func checkPrivileges(_ session: Session, _ facts: BackupSessionFacts) throws(UnderstudyError) {
        guard !facts.isSuperuser else { return }
        let version = server.version
        guard version.grantsFileFunctions else {
            throw UnderstudyError(
                .server, "role \"\(facts.role)\" cannot take a backup over several connections",
                detail: "Before version 11, only a superuser may read files of the server.",
                hint: "Use a superuser, or one connection.")
        }
        let missing = try session.ask(sql.missingPrivileges)
        guard !missing.isEmpty else { return }
        let role = SQLText.identifier(facts.role)
        let lines = missing.map { "GRANT EXECUTE ON FUNCTION \($0) TO \(role);" }
        throw UnderstudyError(
            .server,
            "role \"\(facts.role)\" lacks privileges for a backup over several connections",
            detail: "It may not call \(missing.joined(separator: ", ")).",
            hint:
                "Run as a superuser in database \"\(OrdinaryConnection.database(parameters))\": \(lines.joined(separator: " "))"
        )
    }
}
