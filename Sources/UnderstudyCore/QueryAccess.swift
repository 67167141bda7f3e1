package import UnderstudyConnection
package import UnderstudyPlatform
package import UnderstudyProtocol

/// Whether ordinary connections may be opened beside replication connections: not again after a refusal, which is a line
/// in the server's log each time.
package final class QueryAccess: Sendable {
    /// Why there is no such connection; nil while one may be opened.
    private let refusal: Monitor<ConnectionError?>

    package init(isAllowed: Bool = true) {
        refusal = Monitor(isAllowed ? nil : ConnectionError(.refused, "no ordinary connection is to be opened"))
    }

    package var mayAsk: Bool { refusal.read { $0 == nil } }

    /// Throws the first refusal again.
    func check() throws(ConnectionError) {
        if let error = refusal.read({ $0 }) { throw error }
    }

    func note(_ error: ConnectionError) { refusal.change { $0 = $0 ?? error } }
}

/// An ordinary connection beside the replication connection, for what only SQL can answer.
package enum OrdinaryConnection {
    package static func open(
        _ parameters: ConnectionParameters, _ interrupt: Interrupt, _ access: QueryAccess = QueryAccess()
    ) throws(ConnectionError) -> Session {
        try access.check()
        var parameters = parameters
        if parameters["connect_timeout"] == nil { parameters["connect_timeout"] = "10" }
        do throws(ConnectionError) {
            return try Session.connect(
                parameters, kind: .ordinary(database: database(parameters)), applicationName: "understudy",
                interrupt: interrupt, silenceLimit: .seconds(60))
        } catch {
            // A server that starts, or has no connection to spare, may let us in the next time.
            let isForGood = ["28000", "28P01", "3D000", "42501"].contains(error.sqlState)
            if isForGood || error.code == .passwordNeeded { access.note(error) }
            throw error
        }
    }

    /// `replication` is what callers of the stock tools name where no database is meant.
    package static func database(_ parameters: ConnectionParameters) -> String {
        guard let given = parameters["dbname"], !given.isEmpty, given != "replication" else { return "postgres" }
        return given
    }

    package static func ask(_ query: WatchQuery, _ session: Session) throws(UnderstudyError) -> WatchQuery.Answer {
        try session.ask(.watch(query))
    }

    package static func ask(
        _ query: WatchQuery, _ parameters: ConnectionParameters, _ interrupt: Interrupt, _ access: QueryAccess
    ) throws(UnderstudyError) -> WatchQuery.Answer {
        let session: Session
        do throws(ConnectionError) { session = try open(parameters, interrupt, access) } catch {
            throw UnderstudyError(error)
        }
        return try ask(query, session)
    }
}
