import CUnderstudyZ

/// The largest window; the 16 selects gzip's header and trailer instead of zlib's.
private let windowBits: Int32 = 15 + 16

/// Writes one gzip member: deflateInit2, deflate, deflateEnd. The last four bytes of its trailer are the plain size
/// modulo 2^32, from which the stock tool determines whether a segment is complete.
@safe struct GzipEncoder: ~Copyable {
    /// Owned by this value alone from `init` to `deinit`, at one address, because zlib's state points back at it.
    private let stream: UnsafeMutablePointer<z_stream>

    init(level: Int32) throws(CompressionError) {
        unsafe stream = try makeDeflater(level, windowBits)
    }

    deinit {
        // `self` is the only owner, and ends here.
        unsafe deflateEnd(stream)
        unsafe stream.deallocate()
    }

    func step(_ input: RawSpan, _ goal: Goal, _ room: inout [UInt8]) throws(CompressionError) -> Step {
        let flush =
            switch goal {
            case .more: Z_NO_FLUSH
            case .flush: Z_SYNC_FLUSH
            case .end: Z_FINISH
            }
        // The stream lives as long as `self`; the two buffers are used during the call only, see `lend`.
        let (status, read, written, isFull) = unsafe lend(input, &room, to: stream) { unsafe deflate($0, flush) }
        switch status {
        case Z_STREAM_END:
            return Step(read: read, written: written, isDone: true)
        // Z_BUF_ERROR means that there was nothing to do.
        case Z_OK, Z_BUF_ERROR:
            // A flush is complete once the buffer is not full. Input that stays inside the encoder is written by a
            // later call.
            let isDone =
                switch goal {
                case .more: read == input.byteCount
                case .flush: !isFull
                case .end: false
                }
            // Z_FINISH always makes progress, until Z_STREAM_END.
            if isDone || status == Z_OK { return Step(read: read, written: written, isDone: isDone) }
            fallthrough
        default:
            throw unsafe .compressing(.gzip, .library, text(of: status, in: stream))
        }
    }
}

/// Reads exactly one gzip member: inflateInit2, inflate, inflateEnd.
@safe struct GzipDecoder: ~Copyable {
    /// Owned by this value alone from `init` to `deinit`, at one address, because zlib's state points back at it.
    private let stream: UnsafeMutablePointer<z_stream>

    init() throws(CompressionError) {
        // zlib requires zeros to choose its own allocators and for the input, and fills in the rest.
        let stream = unsafe makeStream()
        let status = unsafe inflateInit2_(
            stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else {
            // The text is a constant of zlib; the stream was made above and is not stored.
            let reason = unsafe text(of: status, in: stream)
            unsafe stream.deallocate()
            throw .decompressing(.gzip, status == Z_MEM_ERROR ? .memory : .library, reason)
        }
        unsafe self.stream = stream
    }

    deinit {
        // `self` is the only owner, and ends here.
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    func step(_ input: RawSpan, _ room: inout [UInt8]) throws(CompressionError) -> Step {
        // The stream lives as long as `self`; the two buffers are used during the call only, see `lend`.
        let (status, read, written, _) = unsafe lend(input, &room, to: stream) { unsafe inflate($0, Z_NO_FLUSH) }
        switch status {
        // Z_BUF_ERROR means that there was nothing to do: it needs more input.
        case Z_OK, Z_BUF_ERROR, Z_STREAM_END:
            return Step(read: read, written: written, isDone: status == Z_STREAM_END)
        default:
            let code: CompressionError.Code = status == Z_MEM_ERROR ? .memory : .damaged
            throw unsafe .decompressing(.gzip, code, text(of: status, in: stream))
        }
    }
}

/// Compresses pieces of one gzip member independently of each other: deflate blocks without header and trailer, which end
/// at a byte: deflateInit2, deflateReset, deflateSetDictionary, deflateEnd.
@safe struct DeflateEncoder: ~Copyable {
    /// How far back a match may reach.
    static let window = 1 << 15

    /// Owned by this value alone from `init` to `deinit`, at one address, because zlib's state points back at it.
    private let stream: UnsafeMutablePointer<z_stream>

    init(level: Int32) throws(CompressionError) {
        // A negative window means no header and no trailer.
        unsafe stream = try makeDeflater(level, -15)
    }

    deinit {
        // `self` is the only owner, and ends here.
        unsafe deflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// - Parameter previous: The end of the piece before, for matches that reach into it.
    func compress(_ piece: RawSpan, after previous: RawSpan) throws(CompressionError) -> [UInt8] {
        // The stream lives as long as `self`. zlib copies the dictionary during the call.
        var status = unsafe deflateReset(stream)
        if status == Z_OK, previous.byteCount > 0 {
            status = unsafe previous.withUnsafeBytes { source in
                unsafe deflateSetDictionary(
                    stream, source.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt32(clamping: source.count))
            }
        }
        guard status == Z_OK else { throw unsafe .compressing(.gzip, .library, text(of: status, in: stream)) }
        var isComplete = false
        // The bound is one for a whole stream; an empty stored block, with which the flush ends, takes five bytes. The
        // two buffers are used during the call only, see `lend`.
        let bound = unsafe Int(deflateBound(stream, UInt(piece.byteCount))) + 16
        let (bytes, _) = unsafe written(atMost: bound) { target in
            let (result, read, written, isFull) = unsafe lend(piece, target, to: stream) {
                unsafe deflate($0, Z_SYNC_FLUSH)
            }
            status = result
            isComplete = read == piece.byteCount && !isFull
            return written
        }
        guard status == Z_OK, isComplete else {
            throw unsafe .compressing(.gzip, .library, text(of: status, in: stream))
        }
        return bytes
    }
}

/// What stands around the deflate blocks of one gzip member (RFC 1952).
struct GzipFrame {
    /// Of all bytes so far: the CRC-32, and the size modulo 2^32.
    private var checksum: UInt = 0
    private var size: UInt32 = 0

    /// - Parameter level: Of the fastest and the smallest, readers are told.
    static func header(level: Int) -> [UInt8] {
        let hint: UInt8 = level >= 9 ? 2 : level == 1 ? 4 : 0
        // No name and no time, made on Unix.
        return [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, hint, 3]
    }

    /// The CRC-32 of one piece: crc32_z.
    static func checksum(of piece: RawSpan) -> UInt {
        // The bytes are read during the call.
        unsafe piece.withUnsafeBytes { bytes in
            unsafe crc32_z(0, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
        }
    }

    /// Counts the next piece in: crc32_combine.
    mutating func add(_ checksum: UInt, size: Int) {
        self.checksum = crc32_combine(self.checksum, checksum, size)
        self.size &+= UInt32(truncatingIfNeeded: size)
    }

    /// An empty last block, and the trailer.
    var end: [UInt8] {
        let checksum = UInt32(truncatingIfNeeded: self.checksum)
        return [3, 0]
            + [checksum, size].flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) } }
    }
}

/// deflateInit2. The caller ends and frees it.
private func makeDeflater(
    _ level: Int32, _ windowBits: Int32
) throws(CompressionError) -> UnsafeMutablePointer<z_stream> {
    // zlib requires zeros to choose its own allocators, and fills in the rest.
    let stream = unsafe makeStream()
    let status = unsafe deflateInit2_(
        stream, level, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
        Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else {
        // The text is a constant of zlib; the stream was made above and is not stored.
        let reason = unsafe text(of: status, in: stream)
        unsafe stream.deallocate()
        throw .compressing(.gzip, status == Z_MEM_ERROR ? .memory : .library, reason)
    }
    return unsafe stream
}

private func makeStream() -> UnsafeMutablePointer<z_stream> {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    // Newly allocated memory for one stream.
    unsafe stream.initialize(to: z_stream())
    return unsafe stream
}

/// Points the stream at both buffers while `body` runs.
private func lend(
    _ input: RawSpan, _ room: inout [UInt8], to stream: UnsafeMutablePointer<z_stream>,
    _ body: (UnsafeMutablePointer<z_stream>) -> Int32
) -> (status: Int32, read: Int, written: Int, isFull: Bool) {
    // The buffer is valid in the closure.
    unsafe room.withUnsafeMutableBytes { unsafe lend(input, $0, to: stream, body) }
}

private func lend(
    _ input: RawSpan, _ target: UnsafeMutableRawBufferPointer, to stream: UnsafeMutablePointer<z_stream>,
    _ body: (UnsafeMutablePointer<z_stream>) -> Int32
) -> (status: Int32, read: Int, written: Int, isFull: Bool) {
    // zlib counts in 32 bits; the caller passes the rest of a longer input again.
    let given = UInt32(clamping: input.byteCount)
    let space = UInt32(clamping: target.count)
    // Both buffers are valid in the closure, for the lengths passed to zlib. zlib does not write to the input, whose
    // pointer is mutable only if zlib is built without z_const. None of the pointers outlives the closure.
    return unsafe input.withUnsafeBytes { source in
        unsafe stream.pointee.next_in = UnsafeMutablePointer(
            mutating: source.baseAddress?.assumingMemoryBound(to: UInt8.self))
        unsafe stream.pointee.avail_in = given
        unsafe stream.pointee.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_out = space
        let status = unsafe body(stream)
        let read = unsafe Int(given - stream.pointee.avail_in)
        let left = unsafe stream.pointee.avail_out
        unsafe stream.pointee.next_in = nil
        unsafe stream.pointee.avail_in = 0
        unsafe stream.pointee.next_out = nil
        unsafe stream.pointee.avail_out = 0
        return (status, read, Int(space - left), left == 0)
    }
}

/// zlib's text for a failure.
private func text(of status: Int32, in stream: UnsafeMutablePointer<z_stream>) -> String {
    // Both are C strings that are constants of zlib.
    if let message = unsafe stream.pointee.msg { return unsafe String(cString: message) }
    return status == Z_NEED_DICT ? "it needs a dictionary" : unsafe String(cString: zError(status))
}
