import CUnderstudyLZ4

/// Writes one LZ4 frame with the library's default block size and a content checksum, as the tool lz4 does:
/// LZ4F_compressBegin, LZ4F_compressUpdate, LZ4F_flush, LZ4F_compressEnd.
@safe struct LZ4Encoder: ~Copyable {
    /// The input of one call: one block of the default size. It bounds the output buffer.
    private static let portion = 1 << 16

    /// Owned by this value alone, from `init` to `deinit`.
    private let context: OpaquePointer
    private let preferences: LZ4F_preferences_t
    let room: Int

    init(level: Int32, contentSize: UInt64?) throws(CompressionError) {
        var preferences = LZ4F_preferences_t()
        preferences.compressionLevel = level
        preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled
        // Zero means unknown.
        preferences.frameInfo.contentSize = contentSize ?? 0
        var context: OpaquePointer?
        // Both variables outlive the calls. The bound for one portion also holds for a flush and for the end, since it
        // includes a nearly full block.
        let status = unsafe LZ4F_createCompressionContext(&context, UInt32(LZ4F_VERSION))
        room = unsafe max(LZ4F_compressBound(Self.portion, &preferences), Int(LZ4F_HEADER_SIZE_MAX))
        self.preferences = preferences
        guard LZ4F_isError(status) == 0, let context = unsafe context else {
            throw .compressing(.lz4, .memory, text(of: status))
        }
        unsafe self.context = context
    }

    deinit {
        // `self` is the only owner, and ends here.
        unsafe LZ4F_freeCompressionContext(context)
    }

    /// Writes the header.
    func begin(_ room: inout [UInt8]) throws(CompressionError) -> Int {
        // The context lives as long as `self`. The preferences are copied, and the buffer is written, only during the
        // call.
        let result = unsafe room.withUnsafeMutableBytes { target in
            unsafe withUnsafePointer(to: preferences) { preferences in
                unsafe LZ4F_compressBegin(context, target.baseAddress, target.count, preferences)
            }
        }
        return try count(result)
    }

    func step(_ input: RawSpan, _ goal: Goal, _ room: inout [UInt8]) throws(CompressionError) -> Step {
        let portion = input.extracting(first: Self.portion)
        // The context lives as long as `self`. Both buffers are used only during the call: without stableSrc the
        // context copies the part of the input that it still needs.
        let result = unsafe room.withUnsafeMutableBytes { target in
            switch goal {
            case .more:
                unsafe portion.withUnsafeBytes { source in
                    unsafe LZ4F_compressUpdate(
                        context, target.baseAddress, target.count, source.baseAddress, source.count, nil)
                }
            case .flush: unsafe LZ4F_flush(context, target.baseAddress, target.count, nil)
            case .end: unsafe LZ4F_compressEnd(context, target.baseAddress, target.count, nil)
            }
        }
        return Step(
            read: portion.byteCount, written: try count(result), isDone: portion.byteCount == input.byteCount)
    }

    private func count(_ result: Int) throws(CompressionError) -> Int {
        guard LZ4F_isError(result) == 0 else {
            throw .compressing(.lz4, isMemory(result) ? .memory : .library, text(of: result))
        }
        return result
    }
}

/// Writes whole LZ4 frames with a content checksum, in blocks of at most 256 kB: LZ4F_compressFrame.
struct LZ4FrameEncoder {
    private let preferences: LZ4F_preferences_t

    init(level: Int32) {
        var preferences = LZ4F_preferences_t()
        preferences.compressionLevel = level
        preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled
        preferences.frameInfo.blockSizeID = LZ4F_max256KB
        self.preferences = preferences
    }

    func frame(of bytes: RawSpan) throws(CompressionError) -> [UInt8] {
        var preferences = preferences
        preferences.frameInfo.contentSize = UInt64(bytes.byteCount)
        // The preferences are copied, and both buffers are used, only during the calls.
        let (frame, result) = unsafe withUnsafePointer(to: preferences) { preferences in
            unsafe written(atMost: LZ4F_compressFrameBound(bytes.byteCount, preferences)) { target in
                unsafe bytes.withUnsafeBytes { source in
                    unsafe LZ4F_compressFrame(
                        target.baseAddress, target.count, source.baseAddress, source.count, preferences)
                }
            }
        }
        guard LZ4F_isError(result) == 0 else {
            throw .compressing(.lz4, isMemory(result) ? .memory : .library, text(of: result))
        }
        return frame
    }
}

/// Reads one LZ4 frame: LZ4F_decompress.
@safe struct LZ4Decoder: ~Copyable {
    /// Owned by this value alone, from `init` to `deinit`.
    private let context: OpaquePointer

    init() throws(CompressionError) {
        var context: OpaquePointer?
        // `context` outlives the call.
        let status = unsafe LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
        guard LZ4F_isError(status) == 0, let context = unsafe context else {
            throw .decompressing(.lz4, .memory, text(of: status))
        }
        unsafe self.context = context
    }

    deinit {
        // `self` is the only owner, and ends here.
        unsafe LZ4F_freeDecompressionContext(context)
    }

    func step(_ input: RawSpan, _ room: inout [UInt8]) throws(CompressionError) -> Step {
        var read = input.byteCount
        var written = room.count
        // The context lives as long as `self`. Both buffers have the given sizes, and are used only during the call:
        // without stableDst the context keeps a copy of the window.
        let result = unsafe room.withUnsafeMutableBytes { target in
            unsafe input.withUnsafeBytes { source in
                unsafe LZ4F_decompress(context, target.baseAddress, &written, source.baseAddress, &read, nil)
            }
        }
        guard LZ4F_isError(result) == 0 else {
            throw .decompressing(.lz4, isMemory(result) ? .memory : .damaged, text(of: result))
        }
        // A nonzero result is only a hint about the size of the next input.
        return Step(read: read, written: written, isDone: result == 0)
    }
}

/// The library's text for a failure.
private func text(of result: Int) -> String {
    // A C string that is a constant of the library.
    unsafe String(cString: LZ4F_getErrorName(result))
}

/// The shared library exports no error codes, only their names.
private func isMemory(_ result: Int) -> Bool {
    text(of: result) == "ERROR_allocation_failed"
}
