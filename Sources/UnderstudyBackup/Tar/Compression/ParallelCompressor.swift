import UnderstudyCompression
import UnderstudyPlatform

/// Compresses the pieces of a stream on threads of its own, and gives them on in their order. Used by one thread.
///
/// Memory is bounded: when as many pieces are under way as the threads need to be busy, the oldest is waited for.
final class ParallelCompressor {
    private struct Work {
        var number: Int
        var bytes: [UInt8]
        var previous: [UInt8]
    }

    private struct State {
        var waiting: [Work] = []
        /// Finished pieces by number, until it is their turn.
        var done: [Int: Result<PieceCompressor.Piece, CompressionError>] = [:]
        /// Buffers to be filled again.
        var free: [[UInt8]] = []
        var isClosed = false
    }

    private let coding: ArchiveCoding
    private let state = Monitor(State())
    private var threads: [OwnThread] = []
    private var frame: PieceFrame
    private var hasBegun = false
    private var bytes: [UInt8] = []
    /// The end of the piece before.
    private var previous: [UInt8] = []
    private var submitted = 0
    private var taken = 0

    init(_ coding: ArchiveCoding) throws(CompressionError) {
        self.coding = coding
        frame = PieceFrame(coding.method, level: coding.level)
        // A level that the method does not have is said at once.
        _ = try PieceCompressor(coding.method, level: coding.level)
        bytes.reserveCapacity(Self.pieceSize)
    }

    deinit {
        state.update { $0.isClosed = true }
    }

    /// Larger ones compress a little better, and do not fit the caches any more.
    private static let pieceSize = 1 << 19

    /// gzip is slow and needs little memory; the others are fast, and Zstandard's context grows with the level, up to
    /// some 15 MiB for each thread.
    private static func threadCount(_ method: Compression.Method) -> Int {
        min(Processors.count, method == .gzip ? 16 : 4)
    }

    func append(_ input: RawSpan, path: String, _ output: ArchiveEncoder.Output) throws(FileIOError) {
        var rest = input
        while rest.byteCount > 0 {
            let count = min(rest.byteCount, Self.pieceSize - bytes.count)
            // The bytes are copied within the call.
            unsafe rest.extracting(..<count).withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
            rest = rest.extracting(count...)
            if bytes.count == Self.pieceSize { try submit(path, output) }
        }
    }

    /// The last piece, and what ends the stream.
    func finish(path: String, _ output: ArchiveEncoder.Output) throws(FileIOError) {
        if !bytes.isEmpty { try submit(path, output) }
        while taken < submitted { try take(path, output) }
        try begin(output)
        try put(frame.end, output)
        state.update { $0.isClosed = true }
        for thread in threads { thread.join() }
        threads = []
    }

    // MARK: - On the caller's thread

    private func begin(_ output: ArchiveEncoder.Output) throws(FileIOError) {
        guard !hasBegun else { return }
        hasBegun = true
        try put(frame.beginning, output)
    }

    private func put(_ bytes: [UInt8], _ output: ArchiveEncoder.Output) throws(FileIOError) {
        // The array outlives the call.
        try unsafe output(bytes.span.bytes)
    }

    private func submit(_ path: String, _ output: ArchiveEncoder.Output) throws(FileIOError) {
        try start()
        while submitted - taken > threads.count + 1 { try take(path, output) }
        let work = Work(number: submitted, bytes: bytes, previous: previous)
        submitted += 1
        previous = Array(bytes.suffix(PieceCompressor.reach(of: coding.method)))
        bytes = state.update { state in
            state.waiting.append(work)
            return state.free.popLast() ?? []
        }
        bytes.reserveCapacity(Self.pieceSize)
    }

    /// Gives the oldest piece on.
    private func take(_ path: String, _ output: ArchiveEncoder.Output) throws(FileIOError) {
        let number = taken
        let result = state.wait { $0.done.removeValue(forKey: number) }
        taken += 1
        guard let result else { return }
        let piece: PieceCompressor.Piece
        do throws(CompressionError) { piece = try result.get() } catch { throw error.of(path) }
        try begin(output)
        frame.add(piece)
        try put(piece.bytes, output)
    }

    // MARK: - Threads

    private func start() throws(FileIOError) {
        guard threads.isEmpty else { return }
        let state = state, coding = coding
        do throws(FileIOError) {
            for _ in 0..<Self.threadCount(coding.method) {
                threads.append(try OwnThread("compressor") { Self.run(state, coding) })
            }
        } catch {
            // Those that there are do all the work.
            if threads.isEmpty { throw error }
        }
    }

    private static func run(_ state: Monitor<State>, _ coding: ArchiveCoding) {
        var compressor: PieceCompressor?
        while var work = next(state) {
            let result: Result<PieceCompressor.Piece, CompressionError>
            do throws(CompressionError) {
                if compressor == nil { compressor = try PieceCompressor(coding.method, level: coding.level) }
                result = .success(try compressor!.compress(work.bytes, after: work.previous))
            } catch { result = .failure(error) }
            // The only reference, so that the buffer is kept.
            var bytes = work.bytes
            work.bytes = []
            bytes.removeAll(keepingCapacity: true)
            let number = work.number
            state.update { state in
                state.done[number] = result
                state.free.append(bytes)
            }
        }
    }

    private static func next(_ state: Monitor<State>) -> Work? {
        state.wait { state -> Work?? in
            if !state.waiting.isEmpty { return .some(state.waiting.removeFirst()) }
            return state.isClosed ? .some(nil) : nil
        } ?? nil
    }
}
