import Logging
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// The connections of a run, and what the server is asked before the backup begins.
extension BackupRun {
    /// - Parameter silenceLimit: Replaces `options.stallTimeout`; nil to use that.
    func connect(silenceLimit: Duration? = nil) throws(UnderstudyError) -> Session {
        let logger = logger
        do throws(ConnectionError) {
            return try Session.connect(
                parameters, kind: .replication, applicationName: "understudy", interrupt: interrupt,
                silenceLimit: silenceLimit ?? options.stallTimeout, notices: logger.passingOn())
        } catch {
            throw WALSendersInUse.explain(
                error, parameters, interrupt, except: session?.backendProcessID, access: queryAccess)
        }
    }

    /// One address may lead to several servers, and WAL of another cluster would corrupt the backup.
    func checkSameServer(_ session: Session, _ server: ServerFacts) throws(UnderstudyError) {
        let found = try session.ask(.identifySystem).systemIdentifier
        guard found != server.identity.systemIdentifier else { return }
        throw UnderstudyError(
            .connection, "the second connection reached another database cluster than the first one",
            detail: "The system identifiers are \(server.identity.systemIdentifier) and \(found).",
            hint: "Name one server: the address stands for several, by a balancer, a virtual address or DNS.")
    }

    func checkWALLevel(_ session: Session, _ server: ServerFacts) throws(UnderstudyError) {
        guard server.version.showsSettings else { return }
        let level = try session.show("wal_level")
        let findings = Preflight.walLevel(level, serverVersion: server.version.number, hotStandby: false)
        if let finding = findings.first { throw UnderstudyError(finding, .server) }
    }
}
