/// Decompresses one gzip member, LZ4 frame or Zstandard frame, and verifies its checksum if it has one.
///
///     var rest = bytes.span.bytes
///     while let piece = try decompressor.nextPiece(of: &rest) {
///         write(piece)
///     }
///
/// After an error, all later calls fail with the same error.
///
/// It may move between threads: the library's context is reached only through mutating methods, which need exclusive
/// access to a value that cannot be copied; and no library ties its contexts to a thread.
package struct Decompressor: ~Copyable, @unchecked Sendable {
    private let decoder: Decoder
    private var failure: CompressionError?
    /// The output buffer for the library, reused by each piece.
    private var room: [UInt8]
    /// Whether the last piece filled the buffer. More output may then follow without further input.
    private var isFull = false

    /// Whether the frame has ended. If false after the last byte of a file, the file is truncated.
    package private(set) var isAtEnd = false

    package init(_ method: Compression.Method) throws(CompressionError) {
        let decoder: Decoder =
            switch method {
            case .gzip: .gzip(try GzipDecoder())
            case .lz4: .lz4(try LZ4Decoder())
            case .zstd: .zstd(try ZstdDecoder())
            }
        room = [UInt8](repeating: 0, count: 1 << 17)
        self.decoder = decoder
    }

    package var method: Compression.Method { decoder.method }

    /// The next plain bytes, never empty, borrowed until the next call. Nil if more input is needed, or if the frame
    /// has ended. Removes the bytes read from `rest`; after nil it is empty.
    ///
    /// - Throws: If the input is damaged, or continues after the end of the frame. The bytes decoded before that are
    ///   returned first.
    @_lifetime(&self)
    @_lifetime(rest: copy rest)
    package mutating func nextPiece(of rest: inout RawSpan) throws(CompressionError) -> RawSpan? {
        let count = try fill(from: &rest)
        // A UInt8 has no padding: all bytes of the span are initialised.
        return count == 0 ? nil : unsafe room.span.bytes.extracting(first: count)
    }

    @_lifetime(rest: copy rest)
    private mutating func fill(from rest: inout RawSpan) throws(CompressionError) -> Int {
        if let failure { throw failure }
        do throws(CompressionError) {
            while !isAtEnd {
                // libzstd treats repeated calls without input as an endless loop.
                if rest.isEmpty && !isFull { return 0 }
                let step = try decoder.step(rest, &room)
                rest = rest.extracting(droppingFirst: step.read)
                isAtEnd = step.isDone
                isFull = step.written == room.count
                if step.written > 0 { return step.written }
                guard step.read > 0 || rest.isEmpty || isAtEnd else {
                    throw CompressionError.decompressing(method, .library, "the library makes no progress")
                }
            }
            guard rest.isEmpty else {
                throw CompressionError.decompressing(
                    method, .trailingBytes, "there are further bytes behind its end")
            }
            return 0
        } catch {
            failure = error
            throw error
        }
    }
}
