import UnderstudyConnection
import UnderstudyPlatform

/// The one ordinary connection that a process has to a server for short questions, however many of its archivers ask: a server
/// has few places for clients, and an archiver that kept one would take it from them.
///
/// Who asks waits for a turn, and gets the connection of the last turn if that is still open and has the same login. It is
/// closed when nobody has asked for a moment.
final class SharedConnection: Sendable {
    private struct Idle {
        var session: Session
        var parameters: ConnectionParameters
    }

    private struct State {
        var isTaken = false
        var idle: Idle?
        /// The number of turns so far.
        var turns = 0
    }

    private struct Weak {
        weak var connection: SharedConnection?
    }

    private static let all = Monitor<[String: Weak]>([:])
    /// How long it stays open without a turn.
    private static let idleTime = Duration.milliseconds(500)
    /// How often who waits for a turn looks at the interrupt.
    private static let interval = Duration.milliseconds(50)

    private let state = Monitor(State())

    private init() {}

    /// That to the server which the parameters name.
    static func to(_ parameters: ConnectionParameters) -> SharedConnection {
        let place = ["host", "hostaddr", "port"].map { parameters[$0] ?? "" }.joined(separator: "\n")
        return all.change { all in
            if let connection = all[place]?.connection { return connection }
            all = all.filter { $0.value.connection != nil }
            let connection = SharedConnection()
            all[place] = Weak(connection: connection)
            return connection
        }
    }

    /// Waits for a turn, which ``giveBack(_:_:)`` must end.
    ///
    /// - Returns: The connection, if it is open with this login; nil if there is none.
    func take(_ parameters: ConnectionParameters, _ interrupt: Interrupt) throws(ConnectionError) -> Session? {
        while true {
            // What is idle under another login is closed here.
            let turn = state.wait(timeout: Self.interval) { state -> Idle?? in
                guard !state.isTaken else { return nil }
                state.isTaken = true
                return .some(state.idle.take())
            }
            if let turn { return turn?.parameters == parameters ? turn?.session : nil }
            if interrupt.isRaised { throw ConnectionError(.interrupted, "interrupted") }
        }
    }

    /// Ends the turn.
    ///
    /// - Parameter session: nil if it cannot be used any more, or was never made.
    func giveBack(_ session: Session?, _ parameters: ConnectionParameters) {
        let turn = state.update { state in
            state.isTaken = false
            state.idle = session.map { Idle(session: $0, parameters: parameters) }
            state.turns += 1
            return state.turns
        }
        guard session != nil else { return }
        Timers.shared.after(Self.idleTime) { [self] in
            // Closed outside of the lock.
            _ = state.change { state in state.turns == turn ? state.idle.take() : nil }
        }
    }
}
