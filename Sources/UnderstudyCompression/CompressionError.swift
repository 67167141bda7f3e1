/// Why bytes could not be compressed or decompressed.
///
/// `message` has PostgreSQL's form, with the library's text after the colon. Only the caller knows which file it was.
package struct CompressionError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// The method has no such level.
        case level
        /// The number of bytes differs from the one announced.
        case contentSize
        /// The input is in another format, or damaged.
        case damaged
        /// There is more input after the end of the frame.
        case trailingBytes
        /// Out of memory, or the input needs more than the decoder allows.
        case memory
        /// The compressor was used after it had finished.
        case finished
        /// The library failed for another reason.
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
    static func compressing(_ method: Compression.Method, _ code: Code, _ reason: String) -> CompressionError {
        CompressionError(code, "could not compress \(method) data: \(reason)")
    }

    static func decompressing(_ method: Compression.Method, _ code: Code, _ reason: String) -> CompressionError {
        CompressionError(code, "could not decompress \(method) data: \(reason)")
    }
}
