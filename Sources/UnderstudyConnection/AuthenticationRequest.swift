import Glibc

/// The authentication that a server requests, inspected before libpq answers.
///
/// Source: PostgreSQL manual, "Message Formats", the Authentication messages.
enum AuthenticationRequest {
    /// No further authentication, MD5, and the three SASL messages: the answers to these do not reveal the password.
    private static let harmless: Set<UInt32> = [0, 5, 10, 11, 12]
    /// Long enough for everything that a server sends before the request.
    private static let longest = 4096

    /// Whether the messages waiting in the socket request nothing that reveals the password. Incomplete messages do not
    /// count as harmless.
    static func isHarmless(_ socket: CInt) -> Bool {
        var bytes = [UInt8](repeating: 0, count: longest)
        // At most the whole array is written. The bytes stay in the socket.
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe recv(socket, $0.baseAddress, $0.count, CInt(MSG_PEEK | MSG_DONTWAIT))
        }
        return count <= 0 || isHarmless(bytes[..<count])
    }

    static func isHarmless(_ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        while let type = rest.first {
            // Besides authentication requests, a server may send a notice, or negotiate the protocol version.
            guard type == UInt8(ascii: "R") || type == UInt8(ascii: "N") || type == UInt8(ascii: "v") else {
                return true
            }
            guard rest.count >= 9 else { return false }
            let length = Int(number(rest.dropFirst()))
            if type == UInt8(ascii: "R"), !harmless.contains(number(rest.dropFirst(5))) { return false }
            guard length >= 4, rest.count > length else { return false }
            rest = rest.dropFirst(1 + length)
        }
        return true
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }
}
