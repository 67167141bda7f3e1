/// Why a WAL stream cannot go on: what the server sent, or did not send.
package struct StreamError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        case protocolViolation
        /// The server ended the stream before the position that was wanted.
        case endedEarly
        /// What the server sends is not the WAL that its position and timeline say.
        case otherWAL
        /// The server sent nothing for too long.
        case stalled
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
