import CUnderstudyCrypto

/// The checksums of a manifest, made here so that the program's own are not what vouches for them.
enum Digests {
    /// In lower case hexadecimal.
    static func sha256(_ bytes: some Collection<UInt8>) -> String {
        let content = Array(bytes)
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        // SAFETY: 32 bytes are written, which is what the array holds.
        let status = unsafe EVP_Digest(content, content.count, &digest, &length, EVP_sha256(), nil)
        precondition(status == 1 && length == 32, "no SHA-256")
        return hexadecimal(digest)
    }

    /// As a manifest writes it: the bytes of the little-endian number.
    static func crc32c(_ bytes: [UInt8]) -> String {
        var crc = UInt32.max
        for byte in bytes { crc = crc >> 8 ^ table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] }
        crc = ~crc
        return hexadecimal((0..<4).map { UInt8(truncatingIfNeeded: crc >> (8 * UInt32($0))) })
    }

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private static let digits = Array("0123456789abcdef".utf8)
}
