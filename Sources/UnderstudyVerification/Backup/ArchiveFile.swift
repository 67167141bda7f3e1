import Glibc
import UnderstudyBackupFormat
import UnderstudyCompression
import UnderstudyPlatform

/// An archive of a tar format backup, compressed or not.
struct ArchiveFile: Sendable {
    let tree: ReadOnlyTree
    let name: RelativePath
    let method: Compression.Method?

    /// What is read of an archive at once.
    private static let compressedStep = 1 << 18
    /// Most members are small, and of larger ones only the header may matter.
    private static let plainStep = 1 << 16

    /// Why an archive was not read to its end.
    struct Failure: Error {
        var kind: BackupFinding.Kind
        /// Of the member that it is about; nil for the archive.
        var path: String?
        var message: String
        var detail: String?
    }

    /// The names of archives: `base.tar.gz`, and with OIDs those of tablespaces.
    ///
    /// - Returns: What stands before the suffix; nil for any other name.
    static func parse(_ name: RelativePath) -> (stem: Substring, method: Compression.Method?)? {
        let text = name.description
        let suffixes: [(String, Compression.Method?)] = [
            (".tar", nil), (".tgz", .gzip), (".tar.gz", .gzip), (".tar.lz4", .lz4), (".tar.zst", .zstd),
        ]
        guard let (suffix, method) = suffixes.first(where: { text.hasSuffix($0.0) }) else { return nil }
        let stem = text.dropLast(suffix.count)
        let isNumber = !stem.isEmpty && stem.allSatisfy { $0.isASCII && $0.isNumber }
        return isNumber || stem == "base" || stem == "pg_wal" ? (stem, method) : nil
    }

    /// Passes the members on: of one that is not compressed, contents only that the sink needs; one that is, is decompressed
    /// on a thread of its own meanwhile.
    ///
    /// - Parameter took: Is told how many bytes were read, on that thread.
    func read<Sink: ArchiveSink & ~Copyable>(
        into sink: inout Sink, _ reporter: VerificationReporter, took: @escaping @Sendable (Int) -> Void = { _ in }
    ) throws(Failure) {
        var reader = TarReader()
        if let method {
            try unpack(method, reporter, took) { piece throws(Failure) in try reader.consume(piece, into: &sink) }
        } else {
            try look(into: &sink, &reader, reporter)
        }
        if reporter.isStopped { return }
        do throws(BackupFormatError) { try reader.finish() } catch { throw Self.endsEarly(error.detail) }
    }

    func open() throws(Failure) -> FileDescriptor {
        do throws(FileIOError) { return try tree.openFile(name) } catch { throw failure(error) }
    }

    func failure(_ error: FileIOError) -> Failure {
        Failure(
            kind: .unreadable, message: "\(error.attempt) \"\(name)\": \(FileIOError.text(of: error.number))")
    }

    private func look<Sink: ArchiveSink & ~Copyable>(
        into sink: inout Sink, _ reader: inout TarReader, _ reporter: VerificationReporter
    ) throws(Failure) {
        let block = try makeBlock(Self.plainStep)
        let file = try open()
        let size: UInt64
        do throws(FileIOError) {
            size = UInt64(try file.status(path: name.description).st_size)
        } catch { throw failure(error) }
        var offset: UInt64 = 0
        while !reporter.isStopped, try fill(block, from: file, at: offset) {
            offset += UInt64(block.count)
            try reader.consume(block.bytes, into: &sink)
            guard !sink.needsContent, offset < size else { continue }
            // No further than to the end, which may come too early.
            let skipped = min(reader.contentLeft, size - offset)
            try reader.skipContent(skipped, into: &sink)
            offset += skipped
        }
    }

    // MARK: - Compressed archives

    private func unpack(
        _ method: Compression.Method, _ reporter: VerificationReporter, _ took: @escaping @Sendable (Int) -> Void,
        _ use: (RawSpan) throws(Failure) -> Void
    ) throws(Failure) {
        let pipe = BlockPipe<Failure>(blocks: 4, blockSize: Self.compressedStep)
        let filler = try? OwnThread("unpack") {
            pipe.end(Result { () throws(Failure) in try fill(pipe, method, took) })
        }
        guard let filler else {
            return try decompress(method, took) { piece throws(Failure) in
                try use(piece)
                return !reporter.isStopped
            }
        }
        defer {
            pipe.close()
            filler.join()
        }
        while !reporter.isStopped, let block = try pipe.next() {
            // Also after an error: the filler may wait for it.
            defer { pipe.give(back: block) }
            try use(block.bytes)
        }
    }

    private func fill(
        _ pipe: BlockPipe<Failure>, _ method: Compression.Method, _ took: (Int) -> Void
    ) throws(Failure) {
        func take() throws(Failure) -> Block {
            do throws(FileIOError) { return try pipe.take() } catch { throw failure(error) }
        }
        var block = try take()
        defer { _ = pipe.send(block) }
        try decompress(method, took) { piece throws(Failure) in
            var rest = piece
            while !rest.isEmpty {
                rest = rest.extracting(block.append(rest)...)
                if block.room > 0 { continue }
                guard pipe.send(block) else { return false }
                block = try take()
            }
            return true
        }
    }

    /// - Parameter use: Gets what was decompressed; false if it wants no more.
    private func decompress(
        _ method: Compression.Method, _ took: (Int) -> Void, _ use: (RawSpan) throws(Failure) -> Bool
    ) throws(Failure) {
        let block = try makeBlock(Self.compressedStep)
        let file = try open()
        var decompressor = try Self.decompressor(method)
        var offset: UInt64 = 0
        while try fill(block, from: file, at: offset) {
            offset += UInt64(block.count)
            took(block.count)
            var rest = block.bytes
            while true {
                let piece: RawSpan?
                do throws(CompressionError) { piece = try decompressor.nextPiece(of: &rest) } catch {
                    guard error.code == .trailingBytes else { throw Self.failure(error) }
                    // Another frame, as gzip(1) and zstd(1) take them.
                    decompressor = try Self.decompressor(method)
                    continue
                }
                guard let piece else { break }
                guard try use(piece) else { return }
            }
        }
        if offset > 0, !decompressor.isAtEnd { throw Self.endsEarly("It ends before its data does.") }
    }

    private static func decompressor(_ method: Compression.Method) throws(Failure) -> Decompressor {
        do throws(CompressionError) { return try Decompressor(method) } catch { throw failure(error) }
    }

    // MARK: - Reading

    private func makeBlock(_ capacity: Int) throws(Failure) -> Block {
        do throws(FileIOError) { return try Block(capacity: capacity) } catch { throw failure(error) }
    }

    /// - Returns: False at the end of the file.
    private func fill(
        _ block: Block, from file: borrowing FileDescriptor, at offset: UInt64
    ) throws(Failure) -> Bool {
        block.clear()
        do throws(FileIOError) {
            try block.append(from: file, at: Int64(offset), atMost: block.capacity, path: name.description)
        } catch { throw failure(error) }
        return block.count > 0
    }

    private static func endsEarly(_ detail: String?) -> Failure {
        Failure(kind: .archive, message: "COPY stream ended before last file was finished", detail: detail)
    }

    private static func failure(_ error: CompressionError) -> Failure {
        Failure(kind: .archive, message: error.message)
    }
}

/// Receives the members of an archive.
protocol ArchiveSink: TarSink, ~Copyable where Failure == ArchiveFile.Failure {
    /// Whether the content of the member that was begun is needed. One may get it all the same.
    var needsContent: Bool { get }
}
