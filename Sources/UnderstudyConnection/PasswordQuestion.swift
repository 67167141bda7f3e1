import Glibc

/// What a server asks for at a login, looked at before libpq answers it.
///
/// Source: PostgreSQL manual, "Message Formats", the Authentication messages.
enum PasswordQuestion {
    /// Nothing more, MD5, and the three messages of SASL: whoever sees the answer cannot tell the password from it.
    private static let harmless: Set<UInt32> = [0, 5, 10, 11, 12]
    /// As long as all that a server says before it asks.
    private static let longest = 4096

    /// Whether the messages that wait at the socket ask for nothing that shows a password. Messages that cannot be read to
    /// their end do not count as harmless.
    static func isHarmless(_ socket: CInt) -> Bool {
        var bytes = [UInt8](repeating: 0, count: longest)
        // At most the whole array is written. The bytes stay at the socket.
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe recv(socket, $0.baseAddress, $0.count, CInt(MSG_PEEK | MSG_DONTWAIT))
        }
        return count <= 0 || isHarmless(bytes[..<count])
    }

    static func isHarmless(_ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        while let type = rest.first {
            // What a server says beside its questions: a notice, and that it knows another version of the protocol.
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
