/// Compresses bytes into one gzip member, LZ4 frame or Zstandard frame, as the command line tools write them.
///
/// Each format carries a checksum of the plain bytes. After an error, all later calls fail with the same error.
///
/// It may move between threads: the library's context is reached only through mutating methods, which need exclusive
/// access to a value that cannot be copied; and no library ties its contexts to a thread.
package struct Compressor: ~Copyable, @unchecked Sendable {
    private enum State {
        case new, open, finished
        case failed(CompressionError)
    }

    package let method: Compression.Method
    private let encoder: Encoder
    private let contentSize: UInt64?
    private var state = State.new
    private var taken: UInt64 = 0
    /// The output buffer for the library, reused by each call.
    private var room: [UInt8]

    /// - Parameters:
    ///   - level: A level of the method; nil for its default.
    ///   - contentSize: The number of plain bytes, if known. LZ4 and Zstandard write it into the header (LZ4 not if it
    ///     is zero); gzip has no field for it. With every method, a different number of bytes is then an error.
    ///   - tuning: For Zstandard alone.
    package init(
        _ method: Compression.Method, level: Int? = nil, contentSize: UInt64? = nil, tuning: ZstdTuning = ZstdTuning()
    ) throws(CompressionError) {
        let level = try method.checkedLevel(level)
        let encoder: Encoder =
            switch method {
            case .gzip: .gzip(try GzipEncoder(level: Int32(level)))
            case .lz4: .lz4(try LZ4Encoder(level: Int32(level), contentSize: contentSize))
            case .zstd: .zstd(try ZstdEncoder(level: Int32(level), contentSize: contentSize, tuning: tuning))
            }
        self.method = method
        self.contentSize = contentSize
        room = [UInt8](repeating: 0, count: encoder.room)
        self.encoder = encoder
    }

    /// Compresses all of `bytes`, and appends the available output to `output`.
    package mutating func compress(_ bytes: RawSpan, into output: inout [UInt8]) throws(CompressionError) {
        try run(bytes, .more, &output)
    }

    /// Flushes: everything so far can then be decoded from the output so far. This costs some compression.
    package mutating func flush(into output: inout [UInt8]) throws(CompressionError) {
        try run(RawSpan(), .flush, &output)
    }

    /// Completes the frame. The compressor cannot be used afterwards.
    package mutating func finish(into output: inout [UInt8]) throws(CompressionError) {
        try run(RawSpan(), .end, &output)
        state = .finished
    }

    private mutating func run(_ bytes: RawSpan, _ goal: Goal, _ output: inout [UInt8]) throws(CompressionError) {
        switch state {
        case .new, .open: break
        case .finished: throw .compressing(method, .finished, "it is finished already")
        case .failed(let error): throw error
        }
        do throws(CompressionError) {
            try count(bytes, goal)
            try encode(bytes, goal, &output)
        } catch {
            state = .failed(error)
            throw error
        }
    }

    /// The libraries check the announced size too, except zlib, and libzstd if `finish` is the first call.
    private mutating func count(_ bytes: RawSpan, _ goal: Goal) throws(CompressionError) {
        taken += UInt64(bytes.byteCount)
        guard let contentSize else { return }
        if taken > contentSize || (goal == .end && taken < contentSize) {
            let excess = taken > contentSize ? "or more " : ""
            throw .compressing(
                method, .contentSize, "\(contentSize) bytes were announced, \(taken) \(excess)were given")
        }
    }

    private mutating func encode(
        _ bytes: RawSpan, _ goal: Goal, _ output: inout [UInt8]
    ) throws(CompressionError) {
        if case .new = state {
            let written = try encoder.begin(&room)
            output.append(contentsOf: room[..<written])
            state = .open
        }
        var rest = bytes
        while true {
            let step = try encoder.step(rest, goal, &room)
            output.append(contentsOf: room[..<step.written])
            if step.isDone { return }
            rest = rest.extracting(droppingFirst: step.read)
        }
    }
}

extension Compression.Method {
    /// - Returns: The level for the library, the default one for nil.
    func checkedLevel(_ level: Int?) throws(CompressionError) -> Int {
        let level = level ?? defaultLevel
        guard acceptedLevels.contains(level) else {
            throw CompressionError(
                .level,
                "compression level \(level) is outside of the range of \(self)"
                    + " (\(acceptedLevels.lowerBound) to \(acceptedLevels.upperBound))")
        }
        return level
    }
}
