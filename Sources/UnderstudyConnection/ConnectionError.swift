package import UnderstudyPlatform

/// An error or a notice of the server, field by field.
///
/// Source: PostgreSQL manual, "Error and Notice Message Fields".
package struct ServerMessage: Sendable, Equatable {
    package var severity: String
    package var sqlState: String?
    package var message: String
    package var detail: String?
    package var hint: String?
}

/// Why a connection could not be made, or did not do what was asked.
package struct ConnectionError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The connection string or an option in it is wrong.
        case parameters
        /// No server could be reached.
        case unreachable
        /// `connect_timeout` passed.
        case timedOut
        /// The server refused the login.
        case refused
        /// The server asks for a password and none was given.
        case passwordNeeded
        /// No server that answered is of the kind that `target_session_attrs` asks for.
        case unsuitable
        /// A server does not say over a replication connection of what kind it is, and there is no other way to it.
        case kindUnknown
        /// The server answered a command with an error.
        case server
        /// The connection ended.
        case lost
        /// The server has been silent for longer than it may.
        case stalled
        /// The server sent what the protocol does not allow.
        case protocolViolation
        /// A position that was to be reported is lower than one before: a fault of this program, kept from the server.
        case falseStatus
        /// The interrupt was raised.
        case interrupted
    }

    package var code: Code
    /// One or more lines without a full stop; holds no password.
    package var message: String
    package var server: ServerMessage?
    /// The role that was to be logged in; nil where that is not known.
    package var user: String?
    /// The address that this side connected from, in digits; nil where that is not known.
    package var ownAddress: String?
    /// Whether this process could have no socket or thread: the server was not even asked.
    package var isShortage = false

    package init(_ code: Code, _ message: String, server: ServerMessage? = nil) {
        self.code = code
        self.message = message
        self.server = server
    }

    package var sqlState: String? { server?.sqlState }

    package var description: String { message }

    /// No thread can be had to connect on.
    package init(thread error: FileIOError) {
        self.init(.unreachable, error.description)
        isShortage = true
    }
}
