/// Bytes or rows from the server that the protocol does not allow.
package struct ProtocolError: Error, Sendable, Equatable, CustomStringConvertible {
    package var message: String

    package init(_ message: String) {
        self.message = message
    }

    package var description: String { message }
}
