import CUnderstudyZstd

/// Settings that Zstandard alone has.
package struct ZstdTuning: Sendable, Hashable {
    /// The library's own threads; zero to compress on the calling one: ZSTD_c_nbWorkers.
    package var workers: Int
    /// Finds what repeats at a distance of up to 128 MiB: ZSTD_c_enableLongDistanceMatching.
    package var longDistance: Bool

    package init(workers: Int = 0, longDistance: Bool = false) {
        self.workers = workers
        self.longDistance = longDistance
    }
}

/// Writes one Zstandard frame with a content checksum, as the tool zstd does: ZSTD_compressStream2.
@safe struct ZstdEncoder: ~Copyable {
    /// Owned by this value alone, from `init` to `deinit`.
    private let context: OpaquePointer

    /// What one of the library's threads takes at a time. A call may wait until one is done, at the highest levels for
    /// seconds; the library's own choice is 32 MiB and more.
    private static let jobSize: Int32 = 4 << 20
    /// How much of the job before each can refer to: the window divided by 2^(9 - 4).
    private static let overlapLog: Int32 = 4

    init(level: Int32, contentSize: UInt64?, tuning: ZstdTuning) throws(CompressionError) {
        guard let context = unsafe ZSTD_createCCtx() else {
            throw .compressing(.zstd, .memory, "out of memory")
        }
        // The context was made above, and only this code uses it.
        var results = unsafe [
            ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level),
            ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1),
        ]
        if tuning.workers > 0 {
            // A library without threads refuses it.
            let workers = Int32(clamping: tuning.workers)
            results += unsafe [
                ZSTD_CCtx_setParameter(context, ZSTD_c_nbWorkers, workers),
                ZSTD_CCtx_setParameter(context, ZSTD_c_jobSize, Self.jobSize),
                ZSTD_CCtx_setParameter(context, ZSTD_c_overlapLog, Self.overlapLog),
            ]
        }
        if tuning.longDistance {
            results.append(unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching, 1))
        }
        if let contentSize {
            results.append(unsafe ZSTD_CCtx_setPledgedSrcSize(context, contentSize))
        }
        if let failure = results.first(where: { ZSTD_isError($0) != 0 }) {
            // The context was made above and is not stored.
            unsafe ZSTD_freeCCtx(context)
            throw .compressing(.zstd, .library, text(of: failure))
        }
        unsafe self.context = context
    }

    deinit {
        // `self` is the only owner, and ends here.
        unsafe ZSTD_freeCCtx(context)
    }

    func step(_ input: RawSpan, _ goal: Goal, _ room: inout [UInt8]) throws(CompressionError) -> Step {
        let directive =
            switch goal {
            case .more: ZSTD_e_continue
            case .flush: ZSTD_e_flush
            case .end: ZSTD_e_end
            }
        // The context lives as long as `self`. Both buffers have the given sizes, and are used only during the call:
        // the context copies the input that it still needs.
        let (left, read, written) = unsafe room.withUnsafeMutableBytes { target in
            unsafe input.withUnsafeBytes { source in
                var output = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                var input = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
                let left = unsafe ZSTD_compressStream2(context, &output, &input, directive)
                return unsafe (left, input.pos, output.pos)
            }
        }
        guard ZSTD_isError(left) == 0 else {
            throw .compressing(.zstd, code(of: left, otherwise: .library), text(of: left))
        }
        // Output that is left inside the encoder matters only for a flush or the end.
        return Step(
            read: read, written: written, isDone: read == input.byteCount && (goal == .more || left == 0))
    }

    /// A whole frame: ZSTD_compress2. The context can make another afterwards.
    func frame(of bytes: RawSpan) throws(CompressionError) -> [UInt8] {
        // The context lives as long as `self`. Both buffers have the given sizes, and are used only during the call.
        let (frame, result) = unsafe written(atMost: ZSTD_compressBound(bytes.byteCount)) { target in
            unsafe bytes.withUnsafeBytes { source in
                unsafe ZSTD_compress2(context, target.baseAddress, target.count, source.baseAddress, source.count)
            }
        }
        guard ZSTD_isError(result) == 0 else {
            throw .compressing(.zstd, code(of: result, otherwise: .library), text(of: result))
        }
        return frame
    }
}

/// Reads one Zstandard frame with a window of at most 128 MiB, the limit of the library and of the tool zstd:
/// ZSTD_decompressStream.
@safe struct ZstdDecoder: ~Copyable {
    /// Owned by this value alone, from `init` to `deinit`.
    private let context: OpaquePointer

    init() throws(CompressionError) {
        guard let context = unsafe ZSTD_createDCtx() else {
            throw .decompressing(.zstd, .memory, "out of memory")
        }
        unsafe self.context = context
    }

    deinit {
        // `self` is the only owner, and ends here.
        unsafe ZSTD_freeDCtx(context)
    }

    func step(_ input: RawSpan, _ room: inout [UInt8]) throws(CompressionError) -> Step {
        // The context lives as long as `self`. Both buffers have the given sizes, and are used only during the call:
        // the context has its own window.
        let (result, read, written) = unsafe room.withUnsafeMutableBytes { target in
            unsafe input.withUnsafeBytes { source in
                var output = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                var input = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
                let result = unsafe ZSTD_decompressStream(context, &output, &input)
                return unsafe (result, input.pos, output.pos)
            }
        }
        guard ZSTD_isError(result) == 0 else {
            throw .decompressing(.zstd, code(of: result, otherwise: .damaged), text(of: result))
        }
        // A nonzero result is only a hint about the size of the next input.
        return Step(read: read, written: written, isDone: result == 0)
    }
}

/// The library's text for a failure.
private func text(of result: Int) -> String {
    // A C string that is a constant of the library.
    unsafe String(cString: ZSTD_getErrorName(result))
}

private func code(of result: Int, otherwise: CompressionError.Code) -> CompressionError.Code {
    switch ZSTD_getErrorCode(result) {
    case ZSTD_error_memory_allocation, ZSTD_error_frameParameter_windowTooLarge: .memory
    default: otherwise
    }
}
