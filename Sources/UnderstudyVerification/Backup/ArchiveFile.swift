import UnderstudyBackupFormat
import UnderstudyCompression
import UnderstudyPlatform

/// An archive of a tar format backup, compressed or not.
struct ArchiveFile: Sendable {
    let tree: ReadOnlyTree
    let name: RelativePath
    let method: Compression.Method?

    /// Why an archive could not be read to its end.
    struct Failure: Error {
        var kind: BackupFinding.Kind
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

    /// Passes the members on.
    ///
    /// - Parameter took: Is told how many bytes were read.
    func read<Sink: TarSink & ~Copyable>(
        into sink: inout Sink, _ reporter: VerificationReporter, took: (Int) -> Void
    ) throws(Failure) where Sink.Failure == Failure {
        var reader = TarReader()
        var offset: Int64 = 0
        let block: Block
        do throws(FileIOError) { block = try Block(capacity: 1 << 18) } catch { throw failure(error) }
        let file: FileDescriptor
        do throws(FileIOError) { file = try tree.openFile(name) } catch { throw failure(error) }
        guard let method else {
            while !reporter.isStopped, try fill(block, from: file, &offset, took) {
                try reader.consume(block.bytes, into: &sink)
            }
            return try reporter.isStopped ? () : finish(reader)
        }
        var decompressor = try Self.decompressor(method)
        while !reporter.isStopped, try fill(block, from: file, &offset, took) {
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
                try reader.consume(piece, into: &sink)
            }
        }
        if reporter.isStopped { return }
        if offset > 0, !decompressor.isAtEnd { throw Self.endsEarly("It ends before its data does.") }
        try finish(reader)
    }

    /// - Returns: False at the end of the file.
    private func fill(
        _ block: Block, from file: borrowing FileDescriptor, _ offset: inout Int64, _ took: (Int) -> Void
    ) throws(Failure) -> Bool {
        block.clear()
        do throws(FileIOError) {
            try block.append(from: file, at: offset, atMost: block.capacity, path: name.description)
        } catch { throw failure(error) }
        offset += Int64(block.count)
        took(block.count)
        return block.count > 0
    }

    private func finish(_ reader: TarReader) throws(Failure) {
        do throws(BackupFormatError) { try reader.finish() } catch { throw Self.endsEarly(error.detail) }
    }

    private static func endsEarly(_ detail: String?) -> Failure {
        Failure(kind: .archive, message: "COPY stream ended before last file was finished", detail: detail)
    }

    private func failure(_ error: FileIOError) -> Failure {
        Failure(
            kind: .unreadable, message: "\(error.attempt) \"\(name)\": \(FileIOError.text(of: error.number))")
    }

    private static func decompressor(_ method: Compression.Method) throws(Failure) -> Decompressor {
        do throws(CompressionError) { return try Decompressor(method) } catch { throw failure(error) }
    }

    private static func failure(_ error: CompressionError) -> Failure {
        Failure(kind: .archive, message: error.message)
    }
}
