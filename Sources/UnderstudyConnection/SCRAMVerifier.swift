import CUnderstudyCrypto

/// What a server keeps of a password for SCRAM-SHA-256: `SCRAM-SHA-256$4096:SALT$STOREDKEY:SERVERKEY`.
///
/// Source: RFC 5802 and RFC 7677; scram-common.c of PostgreSQL.
struct SCRAMVerifier: Equatable {
    var iterations: Int
    var salt: [UInt8]
    var storedKey: [UInt8]
    var serverKey: [UInt8]

    /// nil for any other text.
    init?(_ text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "SCRAM-SHA-256" else { return nil }
        let front = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        let keys = parts[2].split(separator: ":", omittingEmptySubsequences: false)
        // A server uses 4096; a larger number than a million would take seconds.
        guard front.count == 2, keys.count == 2, let iterations = Int(front[0]), (1...1_000_000).contains(iterations),
            let salt = Self.bytes(front[1]), let storedKey = Self.bytes(keys[0]), let serverKey = Self.bytes(keys[1])
        else { return nil }
        self.iterations = iterations
        self.salt = salt
        self.storedKey = storedKey
        self.serverKey = serverKey
    }

    /// Whether it was made of this password. A password that SASLprep changes, which no ASCII text is, is not found.
    func isOf(_ password: String) -> Bool {
        guard let salted = Self.salted(Array(password.utf8), salt, iterations),
            let key = Self.authenticate("Server Key", salted)
        else { return false }
        return key == serverKey
    }

    private static let size = 32

    /// PBKDF2 with HMAC-SHA-256; nil if the library refuses it.
    private static func salted(_ password: [UInt8], _ salt: [UInt8], _ iterations: Int) -> [UInt8]? {
        var key = [UInt8](repeating: 0, count: size)
        // All arrays outlive the call, which reads and writes as many bytes as it is told.
        let isMade = unsafe password.withUnsafeBytes { password in
            unsafe PKCS5_PBKDF2_HMAC(
                password.baseAddress?.assumingMemoryBound(to: CChar.self), CInt(password.count), salt,
                CInt(salt.count), CInt(iterations), EVP_sha256(), CInt(size), &key)
        }
        return isMade == 1 ? key : nil
    }

    /// HMAC-SHA-256 of a text.
    private static func authenticate(_ text: String, _ key: [UInt8]) -> [UInt8]? {
        // HMAC(K, m) is H((K ^ opad) || H((K ^ ipad) || m)) for a key no longer than a block: RFC 2104.
        let padded = key + Array(repeating: 0, count: 64 - key.count)
        guard let inner = digest(padded.map { $0 ^ 0x36 } + Array(text.utf8)) else { return nil }
        return digest(padded.map { $0 ^ 0x5C } + inner)
    }

    private static func digest(_ bytes: [UInt8]) -> [UInt8]? {
        var result = [UInt8](repeating: 0, count: size), length: CUnsignedInt = 0
        // The result has room for SHA-256.
        let isMade = unsafe EVP_Digest(bytes, bytes.count, &result, &length, EVP_sha256(), nil)
        return isMade == 1 && length == CUnsignedInt(size) ? result : nil
    }

    /// Reads base64 with its padding.
    private static func bytes(_ text: Substring) -> [UInt8]? {
        var bytes: [UInt8] = [], bits: UInt32 = 0, count = 0
        let body = text.utf8.prefix { $0 != UInt8(ascii: "=") }
        guard text.utf8.count % 4 == 0, text.utf8.count - body.count <= 2,
            text.utf8.dropFirst(body.count).allSatisfy({ $0 == UInt8(ascii: "=") })
        else { return nil }
        for byte in body {
            guard let value = alphabet.firstIndex(of: byte) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            guard count >= 8 else { continue }
            count -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
        }
        return bytes
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
}
