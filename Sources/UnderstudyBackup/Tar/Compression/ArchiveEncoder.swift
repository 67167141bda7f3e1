import Glibc
import UnderstudyCompression
import UnderstudyPlatform

/// Compresses an archive on its way into a file or stream.
struct ArchiveEncoder: ~Copyable {
    /// Takes compressed bytes.
    typealias Output = (RawSpan) throws(FileIOError) -> Void

    /// One frame, on the calling thread and on the library's own.
    private var whole: Compressor?
    private let pieces: ParallelCompressor?
    /// For messages.
    private let path: String

    init(_ coding: ArchiveCoding, path: String) throws(FileIOError) {
        var whole: Compressor?
        var pieces: ParallelCompressor?
        do throws(CompressionError) {
            // Zstandard's own threads, and its long distance, work within one frame.
            if coding.method == .zstd, coding.workers != nil || coding.longDistance {
                whole = try Compressor(
                    coding.method, level: coding.level,
                    tuning: ZstdTuning(workers: coding.workers ?? 0, longDistance: coding.longDistance))
            } else {
                pieces = try ParallelCompressor(coding)
            }
        } catch { throw error.of(path) }
        self.path = path
        self.pieces = pieces
        self.whole = whole
    }

    mutating func append(_ bytes: RawSpan, _ output: Output) throws(FileIOError) {
        if let pieces {
            return try pieces.append(bytes, path: path, output)
        }
        var compressed: [UInt8] = []
        do throws(CompressionError) { try whole?.compress(bytes, into: &compressed) } catch { throw error.of(path) }
        // The array outlives the call.
        try unsafe output(compressed.span.bytes)
    }

    mutating func finish(_ output: Output) throws(FileIOError) {
        if let pieces {
            return try pieces.finish(path: path, output)
        }
        var compressed: [UInt8] = []
        do throws(CompressionError) { try whole?.finish(into: &compressed) } catch { throw error.of(path) }
        // The array outlives the call.
        try unsafe output(compressed.span.bytes)
    }
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
