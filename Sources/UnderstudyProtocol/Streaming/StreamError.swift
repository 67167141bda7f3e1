/// Why a WAL stream cannot continue.
package struct StreamError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        case protocolViolation
        /// The server ended the stream before the requested position.
        case endedEarly
        /// The WAL from the server does not match its stated position and timeline.
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
