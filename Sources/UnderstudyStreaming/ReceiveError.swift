package import UnderstudyConnection
package import UnderstudyProtocol

/// Why WAL could not be received.
package struct ReceiveError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        case connection, destination, protocolViolation
        /// The server ended the stream before the requested position.
        case endedEarly
        /// A stop was requested while the destination had no room; everything synced has been acknowledged.
        case stoppedWhileStalled
        /// The server sent WAL that does not match its position and timeline.
        case otherWAL
    }

    package var code: Code
    package var message: String
    /// The connection's error, if that is the cause.
    package var connection: ConnectionError?
    /// The destination's error, if that is the cause.
    package var destination: WALDestinationError?

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package init(_ error: ConnectionError) {
        code = .connection
        message = error.message
        connection = error
    }

    package init(_ error: StreamError) {
        switch error.code {
        case .protocolViolation: self.init(.protocolViolation, error.message)
        case .endedEarly: self.init(.endedEarly, error.message)
        case .otherWAL: self.init(.otherWAL, error.message)
        case .stalled: self.init(ConnectionError(.stalled, error.message))
        }
    }

    package init(_ error: WALDestinationError) {
        code = .destination
        message = error.message
        destination = error
    }

    package var description: String { message }
}
