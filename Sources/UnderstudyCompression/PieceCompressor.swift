/// Compresses pieces of a stream, each by itself, so that threads can share the work.
///
/// What comes out, in the order of the pieces and between the ``PieceFrame``'s beginning and end, is one gzip member, or
/// LZ4 or Zstandard frames behind each other: any reader of the format takes it as one file.
package struct PieceCompressor: ~Copyable, @unchecked Sendable {
    // Sendable: as Compressor.
    private enum Coder: ~Copyable {
        case gzip(DeflateEncoder)
        case lz4(LZ4FrameEncoder)
        case zstd(ZstdEncoder)
    }

    private let coder: Coder

    /// A compressed piece.
    package struct Piece: Sendable {
        package var bytes: [UInt8]
        /// Of the plain bytes: their number, and for gzip their CRC-32.
        var size: Int
        var checksum: UInt
    }

    /// - Parameter level: A level of the method; nil for its default.
    package init(_ method: Compression.Method, level: Int?) throws(CompressionError) {
        let level = Int32(try method.checkedLevel(level))
        switch method {
        case .gzip: coder = .gzip(try DeflateEncoder(level: level))
        case .lz4: coder = .lz4(LZ4FrameEncoder(level: level))
        case .zstd: coder = .zstd(try ZstdEncoder(level: level, contentSize: nil, tuning: ZstdTuning()))
        }
    }

    /// How many bytes of the piece before ``compress(_:after:)`` can make use of.
    package static func reach(of method: Compression.Method) -> Int {
        method == .gzip ? DeflateEncoder.window : 0
    }

    /// - Parameter previous: The last bytes of the piece before, at most ``reach(of:)``.
    package mutating func compress(_ piece: [UInt8], after previous: [UInt8]) throws(CompressionError) -> Piece {
        // Both arrays outlive the calls.
        let bytes = unsafe piece.span.bytes
        switch coder {
        case .gzip(let encoder):
            let output = try encoder.compress(bytes, after: unsafe previous.span.bytes)
            return Piece(bytes: output, size: piece.count, checksum: GzipFrame.checksum(of: bytes))
        case .lz4(let encoder): return Piece(bytes: try encoder.frame(of: bytes), size: piece.count, checksum: 0)
        case .zstd(let encoder): return Piece(bytes: try encoder.frame(of: bytes), size: piece.count, checksum: 0)
        }
    }
}

/// What stands around the pieces.
package struct PieceFrame: Sendable {
    private let method: Compression.Method
    private let level: Int
    private var gzip = GzipFrame()

    package init(_ method: Compression.Method, level: Int?) {
        self.method = method
        self.level = level ?? method.defaultLevel
    }

    package var beginning: [UInt8] { method == .gzip ? GzipFrame.header(level: level) : [] }

    /// Counts the next piece in.
    package mutating func add(_ piece: PieceCompressor.Piece) {
        gzip.add(piece.checksum, size: piece.size)
    }

    package var end: [UInt8] { method == .gzip ? gzip.end : [] }
}
