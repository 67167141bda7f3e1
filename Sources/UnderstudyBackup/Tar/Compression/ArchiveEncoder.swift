import Glibc
import UnderstudyCompression
import UnderstudyPlatform

/// Compresses an archive on its way into a file or stream.
struct ArchiveEncoder: ~Copyable {
    /// Takes compressed bytes.
    typealias Output = (RawSpan) throws(FileIOError) -> Void

    private let whole: WholeFrame?
    private let pieces: ParallelCompressor?
    /// For messages.
    private let path: String

    init(_ coding: ArchiveCoding, path: String) throws(FileIOError) {
        var whole: WholeFrame?
        var pieces: ParallelCompressor?
        do throws(CompressionError) {
            // Zstandard's own threads, and its long distance, work within one frame.
            if coding.method == .zstd, coding.workers != nil || coding.longDistance {
                whole = WholeFrame(
                    try Compressor(
                        coding.method, level: coding.level,
                        tuning: ZstdTuning(workers: coding.workers ?? 0, longDistance: coding.longDistance)))
            } else {
                pieces = try ParallelCompressor(coding)
            }
        } catch { throw error.of(path) }
        self.path = path
        self.pieces = pieces
        self.whole = whole
    }

    deinit {
        guard let whole, !whole.isFinished else { return }
        // The library waits for its threads before it frees what they use: at a high level for a minute, which an
        // interrupted run must not take. If no thread can be started, it is waited for here.
        _ = try? OwnThread("compressor") { whole.abandon() }
    }

    mutating func append(_ bytes: RawSpan, _ output: Output) throws(FileIOError) {
        if let pieces {
            return try pieces.append(bytes, path: path, output)
        }
        let compressed: [UInt8]
        do throws(CompressionError) { compressed = try whole?.compress(bytes) ?? [] } catch { throw error.of(path) }
        // The array outlives the call.
        try unsafe output(compressed.span.bytes)
    }

    mutating func finish(_ output: Output) throws(FileIOError) {
        if let pieces {
            return try pieces.finish(path: path, output)
        }
        let compressed: [UInt8]
        do throws(CompressionError) { compressed = try whole?.finish() ?? [] } catch { throw error.of(path) }
        // The array outlives the call.
        try unsafe output(compressed.span.bytes)
    }
}

/// One frame, made on the calling thread and on the library's own.
private final class WholeFrame: @unchecked Sendable {
    // Sendable: used by one thread, and after the last use by the one that frees it.
    private var compressor: Compressor?
    private(set) var isFinished = false

    init(_ compressor: consuming Compressor) {
        self.compressor = consume compressor
    }

    func compress(_ bytes: RawSpan) throws(CompressionError) -> [UInt8] {
        var compressed: [UInt8] = []
        try compressor?.compress(bytes, into: &compressed)
        return compressed
    }

    func finish() throws(CompressionError) -> [UInt8] {
        var compressed: [UInt8] = []
        try compressor?.finish(into: &compressed)
        isFinished = true
        return compressed
    }

    func abandon() { compressor = nil }
}

extension CompressionError {
    /// The failure as one of a file: levels and the like were checked before.
    func of(_ path: String) -> FileIOError {
        FileIOError(message.prefixUpToColon, path, number: code == .memory ? ENOMEM : EINVAL)
    }
}

extension String {
    /// The attempt, without the library's own reason.
    fileprivate var prefixUpToColon: String { String(prefix { $0 != ":" }) }
}
