/// Why bytes could not be compressed or decompressed.
///
/// `message` has PostgreSQL's form, with the words of the library behind the colon. Which file it was is known to the
/// caller alone.
package struct CompressionError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// The method has no such level.
        case level
        /// More or fewer bytes were given than had been announced.
        case contentSize
        /// The input is of another format, or damaged.
        case damaged
        /// The input goes on behind the end of its frame.
        case trailingBytes
        /// There is no memory left, or the input asks for more than a decoder grants.
        case memory
        /// More was asked of a compressor that had finished.
        case finished
        /// The library failed for a reason of its own.
        case library
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}

extension CompressionError {
    static func compressing(_ method: CompressionMethod, _ code: Code, _ reason: String) -> CompressionError {
        CompressionError(code, "could not compress \(method) data: \(reason)")
    }

    static func decompressing(_ method: CompressionMethod, _ code: Code, _ reason: String) -> CompressionError {
        CompressionError(code, "could not decompress \(method) data: \(reason)")
    }
}
