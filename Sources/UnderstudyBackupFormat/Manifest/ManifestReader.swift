import UnderstudyWAL

/// Reads a backup manifest as it arrives, and verifies its own checksum.
///
/// The bytes may come in pieces of any size. Memory does not grow with the manifest: besides the file being read, only
/// the current line is kept, at most 64 kB, because the checksum covers all lines but the last.
///
/// After an error the reader must not be used again.
package struct ManifestReader: ~Copyable, Sendable {
    private var lexer: JSONLexer
    private var parser: ManifestParser
    private let dialect: ManifestDialect
    private var digest: FileDigest
    /// The bytes of the current line from earlier pieces. They are not digested yet, since this may be the last line.
    private var line: [UInt8] = []
    /// The offset of the last line, once known.
    private var lastLine: UInt64?
    /// The number of bytes after the closing brace; nil before it.
    private var bytesAfterEnd: Int?
    private var offset: UInt64 = 0

    /// - Throws: If libcrypto does not offer SHA-256.
    package init(_ dialect: ManifestDialect = .strict) throws(BackupFormatError) {
        self.dialect = dialect
        lexer = JSONLexer(dialect)
        parser = ManifestParser(dialect)
        digest = try FileDigest(.sha256)
    }

    /// 1 for servers 13 to 16, 2 from 17; 0 until it was read.
    package var version: Int { parser.version }

    /// Nil in version 1.
    package var systemIdentifier: UInt64? { parser.systemIdentifier }

    /// Reads the next piece, and passes its files to `sink`.
    package mutating func consume<Sink: ManifestSink & ~Copyable>(
        _ piece: RawSpan, into sink: inout Sink
    ) throws(Sink.Failure) {
        var position = 0
        while bytesAfterEnd == nil {
            let event: ManifestParser.Event
            do throws(JSONLexer.Flaw) {
                guard let token = try lexer.next(in: piece, from: &position) else { break }
                event = try parser.take(token, of: lexer)
            } catch {
                throw sink.failure(damaged(error))
            }
            switch event {
            case .none: break
            case .foreignFile(let name): try sink.foreignFile(name)
            case .file(let file): try sink.file(file)
            case .walRange(let range): try sink.walRange(range)
            case .checksumField:
                lastLine = lexer.lineStart
                digestLines(of: piece, before: lexer.lineStart)
            case .end:
                guard lexer.lineStart == lastLine else {
                    throw sink.failure(
                        damaged(
                            .init(detail: "Its checksum does not stand in its last line.", stock: Self.mismatch)))
                }
                bytesAfterEnd = 0
            }
        }
        if let before = bytesAfterEnd {
            let rest = piece.extracting(position..<piece.byteCount)
            guard before + rest.byteCount <= 1, rest.isEmpty || rest.byte(at: 0) == UInt8(ascii: "\n") else {
                throw sink.failure(damaged(flawOfRest(rest)))
            }
            bytesAfterEnd = before + rest.byteCount
        } else if lastLine == nil {
            digestLines(of: piece, before: lexer.lineStart)
            keepLine(of: piece)
        }
        offset += UInt64(piece.byteCount)
    }

    /// Marks the end of the manifest. Throws unless the manifest is complete and its checksum matches.
    package mutating func finish() throws(BackupFormatError) {
        guard bytesAfterEnd == 1 else {
            let stock =
                bytesAfterEnd == nil
                ? lexer.flawAtEnd.stock : "could not parse backup manifest: last line not newline-terminated"
            throw BackupFormatError(
                .truncated, "backup manifest ends too early", detail: "It has \(offset) bytes and \(lexer.line) lines.",
                stockMessage: stock)
        }
        let actual = try digest.finish()
        guard let actual, actual.bytes == parser.checksum else {
            throw BackupFormatError(
                .manifestChecksum, "backup manifest checksum does not match",
                detail: "It is \(actual?.description ?? "unknown"), and should be "
                    + "\(Hexadecimal.string(parser.checksum)).", stockMessage: Self.mismatch)
        }
    }

    private static let mismatch = "manifest checksum mismatch"

    /// What is wrong with bytes behind the manifest. Lines without anything make another line the last one, which no
    /// checksum covers.
    private func flawOfRest(_ rest: RawSpan) -> JSONLexer.Flaw {
        let detail = "There is something after its end."
        var lexer = JSONLexer(dialect), position = 0
        do throws(JSONLexer.Flaw) {
            guard let token = try lexer.next(in: rest, from: &position) else {
                if !lexer.isBetweenTokens { return .init(detail: detail, stock: lexer.flawAtEnd.stock) }
                let isEnded = !rest.isEmpty && rest.byte(at: rest.byteCount - 1) == UInt8(ascii: "\n")
                return isEnded
                    ? .init(detail: detail, stock: Self.mismatch)
                    : .init(detail: detail, parsing: "last line not newline-terminated")
            }
            return .init(
                detail: detail, parsing: "Expected end of input, but found \"\(lexer.source(of: token))\".")
        } catch {
            return .init(detail: detail, stock: error.stock)
        }
    }

    /// Digests the bytes before `end`, which is the start of a line.
    private mutating func digestLines(of piece: RawSpan, before end: UInt64) {
        // If no line ends in this piece, `end` is the start of the kept bytes, and there is nothing to digest.
        guard end > offset else { return }
        var kept: [UInt8] = []
        swap(&kept, &line)
        digest.update(kept.rawSpan)
        kept.removeAll(keepingCapacity: true)
        swap(&kept, &line)
        digest.update(piece.extracting(0..<Int(end - offset)))
    }

    private mutating func keepLine(of piece: RawSpan) {
        let start = lexer.lineStart > offset ? Int(lexer.lineStart - offset) : 0
        piece.extracting(start..<piece.byteCount).append(to: &line)
    }

    private func damaged(_ flaw: JSONLexer.Flaw) -> BackupFormatError {
        BackupFormatError(
            .malformedManifest, "backup manifest is damaged at line \(lexer.line), byte \(lexer.tokenStart)",
            detail: flaw.detail, stockMessage: flaw.stock)
    }
}
