package import UnderstudyConnection
package import UnderstudyFileIO

/// Why WAL could not be received.
package struct ReceiveError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        case connection, fileSystem, protocolViolation
        /// The server ended the stream before the position that was wanted.
        case endedEarly
    }

    package var code: Code
    package var message: String
    /// The connection's error, where that is the cause.
    package var connection: ConnectionError?
    /// The file system's error, where that is the cause.
    package var file: FileIOError?

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package init(_ error: ConnectionError) {
        code = .connection
        message = error.message
        connection = error
    }

    package init(_ error: FileIOError) {
        code = .fileSystem
        message = error.description
        file = error
    }

    package var description: String { message }
}
