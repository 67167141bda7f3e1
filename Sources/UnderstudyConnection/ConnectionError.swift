package import UnderstudyPlatform
package import UnderstudyProtocol

/// An error or a notice from the server, field by field.
///
/// Source: PostgreSQL manual, "Error and Notice Message Fields".
package struct ServerMessage: Sendable, Equatable {
    package var severity: String
    package var sqlState: String?
    package var message: String
    package var detail: String?
    package var hint: String?
}

/// Why a connection could not be made, or an operation on it failed.
package struct ConnectionError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The connection string or an option in it is wrong.
        case parameters
        /// No role is named, and the user of this process has no name on this system.
        case roleMissing
        /// No server could be reached.
        case unreachable
        /// `connect_timeout` passed.
        case timedOut
        /// The server refused the login.
        case refused
        /// The server requires a password, and none was given.
        case passwordNeeded
        /// No server that answered is of the kind that `target_session_attrs` requires.
        case unsuitable
        /// A server does not report over a replication connection whether it is a standby or read-only, and it cannot
        /// be found out otherwise.
        case kindUnknown
        /// The server answered a command with an error.
        case server
        /// The connection ended.
        case lost
        /// The server was silent for too long.
        case stalled
        /// The server violated the protocol.
        case protocolViolation
        /// A position to be reported is lower than an earlier one. This is a bug in this program; the status was not
        /// sent.
        case falseStatus
        /// The interrupt was raised.
        case interrupted
    }

    package var code: Code
    /// One or more lines without a full stop; contains no password.
    package var message: String
    package var server: ServerMessage?
    /// The version of the server that sent the error; nil before the login is complete.
    package var serverVersion: ServerVersion?
    /// The role of the login; nil if unknown.
    package var user: String?
    /// The local address of the connection, in digits; nil if unknown.
    package var ownAddress: String?
    /// Whether this process could not get a socket or a thread: the server was not even contacted.
    package var isShortage = false

    package init(_ code: Code, _ message: String, server: ServerMessage? = nil) {
        self.code = code
        self.message = message
        self.server = server
    }

    package var sqlState: String? { server?.sqlState }

    package var description: String { message }

    /// No thread could be started for the connection.
    package init(thread error: FileIOError) {
        self.init(.unreachable, error.description)
        isShortage = true
    }
}
