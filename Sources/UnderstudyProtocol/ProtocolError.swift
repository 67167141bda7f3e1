/// Bytes or rows from the server that violate the protocol.
package struct ProtocolError: Error, Sendable, Equatable, CustomStringConvertible {
    package var message: String

    package init(_ message: String) {
        self.message = message
    }

    package var description: String { message }
}
