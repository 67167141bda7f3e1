/// How much output an encoder must produce for its input.
enum Goal {
    /// Output may remain inside the encoder.
    case more
    /// All input so far can be decoded from the output.
    case flush
    /// The frame is complete.
    case end
}

/// The result of one call to a library.
struct Step {
    /// Bytes of the input that were consumed.
    var read: Int
    /// Bytes written to the buffer, from its beginning.
    var written: Int
    /// For an encoder: the goal is reached, and no input is left. For a decoder: the frame has ended.
    var isDone: Bool
}

/// One of the three encoders. Their methods do not mutate because their state is behind a pointer; the caller must have
/// exclusive access.
enum Encoder: ~Copyable {
    case gzip(GzipEncoder)
    case lz4(LZ4Encoder)
    case zstd(ZstdEncoder)

    /// The buffer size that every call needs.
    var room: Int {
        switch self {
        case .gzip: 1 << 16
        case .lz4(let encoder): encoder.room
        case .zstd: 1 << 17
        }
    }

    /// Writes the header, before the first `step`. Returns the number of bytes written.
    func begin(_ room: inout [UInt8]) throws(CompressionError) -> Int {
        switch self {
        case .gzip: 0
        case .lz4(let encoder): try encoder.begin(&room)
        case .zstd: 0
        }
    }

    func step(_ input: RawSpan, _ goal: Goal, _ room: inout [UInt8]) throws(CompressionError) -> Step {
        switch self {
        case .gzip(let encoder): try encoder.step(input, goal, &room)
        case .lz4(let encoder): try encoder.step(input, goal, &room)
        case .zstd(let encoder): try encoder.step(input, goal, &room)
        }
    }
}

/// One of the three decoders. As with `Encoder`, the caller must have exclusive access.
enum Decoder: ~Copyable {
    case gzip(GzipDecoder)
    case lz4(LZ4Decoder)
    case zstd(ZstdDecoder)

    var method: Compression.Method {
        switch self {
        case .gzip: .gzip
        case .lz4: .lz4
        case .zstd: .zstd
        }
    }

    func step(_ input: RawSpan, _ room: inout [UInt8]) throws(CompressionError) -> Step {
        switch self {
        case .gzip(let decoder): try decoder.step(input, &room)
        case .lz4(let decoder): try decoder.step(input, &room)
        case .zstd(let decoder): try decoder.step(input, &room)
        }
    }
}

/// Bytes that a library writes in one call, in an array made for them.
///
/// - Parameters:
///   - bound: The most bytes that it can be.
///   - body: Writes them, and returns their number: at most `bound`. Anything else stands for a failure.
/// - Returns: The bytes, which are none after a failure, and what `body` returned.
func written(atMost bound: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int) -> (bytes: [UInt8], result: Int) {
    var result = 0
    // Only bytes that the library has written count as initialized.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
        result = unsafe body(UnsafeMutableRawBufferPointer(buffer))
        count = (0...bound).contains(result) ? result : 0
    }
    return (bytes, result)
}
