/// How far an encoder is to go with what it was given.
enum Goal {
    /// Output may stay inside.
    case more
    /// All that was given can be decoded from the output.
    case flush
    /// The frame is complete.
    case end
}

/// What one call of a library did.
struct Step {
    /// Bytes of the input that were taken.
    var read: Int
    /// Bytes of the room that were filled, from its beginning.
    var written: Int
    /// An encoder: the goal is reached, and nothing of the input is left. A decoder: the frame has ended.
    var isDone: Bool
}

/// One of the three encoders. Their methods do not mutate because their state lies behind a pointer; whoever calls
/// them has to have exclusive access.
enum Encoder: ~Copyable {
    case gzip(GzipEncoder)
    case lz4(LZ4Encoder)
    case zstd(ZstdEncoder)

    /// The room that every call needs.
    var room: Int {
        switch self {
        case .gzip: 1 << 16
        case .lz4(let encoder): encoder.room
        case .zstd: 1 << 17
        }
    }

    /// Comes before the first `step`; gives the number of bytes written.
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

/// One of the three decoders; as with `Encoder`, the caller has exclusive access.
enum Decoder: ~Copyable {
    case gzip(GzipDecoder)
    case lz4(LZ4Decoder)
    case zstd(ZstdDecoder)

    var method: CompressionMethod {
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
