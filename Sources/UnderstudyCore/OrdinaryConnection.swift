package import UnderstudyConnection
package import UnderstudyPlatform
package import UnderstudyProtocol

/// An ordinary connection beside the replication connection, for what only SQL can answer.
package enum OrdinaryConnection {
    /// - Parameters:
    ///   - silenceLimit: How long the server may be silent, once the connection is made; nil for no limit.
    ///   - notices: Called on the thread that uses the session.
    package static func open(
        _ parameters: ConnectionParameters, _ interrupt: Interrupt, _ access: QueryAccess = QueryAccess(),
        silenceLimit: Duration? = .seconds(60), notices: @escaping @Sendable (ServerMessage) -> Void = { _ in }
    ) throws(ConnectionError) -> Session {
        try access.check()
        var parameters = parameters
        if parameters["connect_timeout"] == nil { parameters["connect_timeout"] = "10" }
        do throws(ConnectionError) {
            return try Session.connect(
                parameters, kind: .ordinary(database: database(parameters)), applicationName: "understudy",
                interrupt: interrupt, silenceLimit: silenceLimit, notices: notices)
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

    package static func ask(
        _ query: WatchQuery, _ parameters: ConnectionParameters, _ interrupt: Interrupt, _ access: QueryAccess
    ) throws(UnderstudyError) -> WatchQuery.Answer {
        try share(parameters, interrupt, access) { session throws(UnderstudyError) in try session.ask(.watch(query)) }
    }

    /// Lends `body` the one connection that all who ask this server share: see ``SharedConnection``.
    package static func share<Value>(
        _ parameters: ConnectionParameters, _ interrupt: Interrupt, _ access: QueryAccess,
        _ body: (Session) throws(UnderstudyError) -> Value
    ) throws(UnderstudyError) -> Value {
        let shared = SharedConnection.to(parameters)
        var usable: Session?
        do throws(ConnectionError) {
            try access.check()
            usable = try shared.take(parameters, interrupt)
        } catch { throw UnderstudyError(error) }
        // One that has failed is closed before anybody else has a turn.
        defer { shared.giveBack(usable, parameters) }
        if let session = usable {
            usable = nil
            session.takeTurn()
            session.obey(interrupt)
            do throws(UnderstudyError) {
                let value = try body(session)
                usable = session
                return value
            } catch  where error.code == .connection {
                // The server may have ended it since it was used last.
            }
        }
        let session: Session
        do throws(ConnectionError) { session = try open(parameters, interrupt, access) } catch {
            throw UnderstudyError(error)
        }
        let value = try body(session)
        usable = session
        return value
    }
}
