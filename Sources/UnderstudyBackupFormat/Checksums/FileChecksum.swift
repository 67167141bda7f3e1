/// A checksum algorithm for the files in a backup manifest.
///
/// The raw value is the name used in the manifest and in the server's option MANIFEST_CHECKSUMS. The option's `NONE` is
/// nil here.
package enum ChecksumAlgorithm: String, Sendable, CaseIterable {
    case crc32c = "CRC32C"
    case sha224 = "SHA224"
    case sha256 = "SHA256"
    case sha384 = "SHA384"
    case sha512 = "SHA512"

    /// The length of a checksum in bytes.
    package var byteCount: Int {
        switch self {
        case .crc32c: 4
        case .sha224: 28
        case .sha256: 32
        case .sha384: 48
        case .sha512: 64
        }
    }
}

/// The checksum of a file, in the manifest's byte order.
///
/// For CRC-32C this is the memory order of a little-endian server: the least significant byte comes first.
package struct FileChecksum: Hashable, Sendable, CustomStringConvertible {
    package let algorithm: ChecksumAlgorithm
    package let bytes: [UInt8]

    /// Nil if the number of bytes does not fit the algorithm.
    package init?(_ algorithm: ChecksumAlgorithm, _ bytes: [UInt8]) {
        guard bytes.count == algorithm.byteCount else { return nil }
        self.algorithm = algorithm
        self.bytes = bytes
    }

    /// The manifest has the bytes in the server's memory order; on a little-endian machine the least significant one comes
    /// first. CRC-32C checksums from big-endian servers cannot be verified.
    package init(crc32c value: UInt32) {
        algorithm = .crc32c
        bytes = (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    /// The checksum of these bytes with others behind them; nil for algorithms with which that cannot be told.
    package func followed(by second: FileChecksum, byteCount: UInt64) -> FileChecksum? {
        guard algorithm == .crc32c, second.algorithm == .crc32c else { return nil }
        func value(_ bytes: [UInt8]) -> UInt32 { bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) } }
        return FileChecksum(crc32c: CRC32C.combine(value(bytes), value(second.bytes), byteCount: byteCount))
    }

    /// The checksum in hexadecimal, as in the manifest.
    package var description: String {
        Hexadecimal.string(bytes)
    }
}

enum Hexadecimal {
    static func string(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// Parses an even number of hexadecimal digits of either case; nil for anything else.
    static func bytes(_ digits: some Collection<UInt8>) -> [UInt8]? {
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        var high: UInt8?
        for digit in digits {
            guard let value = value(digit) else { return nil }
            if let half = high {
                bytes.append(half << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return bytes
    }

    static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
