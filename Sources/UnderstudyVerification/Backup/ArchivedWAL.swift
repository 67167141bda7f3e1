import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyWAL
import UnderstudyWALRecords

/// Segments of WAL that are members of an archive.
struct ArchivedWAL: Sendable {
    private let file: ArchiveFile
    private let directory: String?

    /// - Parameter directory: The one that they are in; nil if they have no other name than that of the segment.
    init(_ file: ArchiveFile, directory: String?) {
        self.file = file
        self.directory = directory
    }

    /// Passes the segments on that are needed. The archive is read once more for each time that the next one stands before
    /// the last.
    ///
    /// - Throws: If the archive cannot be read.
    func read(for verifier: inout WALVerifier, _ reporter: VerificationReporter) throws(UnderstudyError) {
        while verifier.request != nil, !reporter.isStopped {
            var sink = Segments(verifier: verifier, directory: directory)
            do throws(ArchiveFile.Failure) {
                try file.read(into: &sink, reporter)
            } catch {
                throw UnderstudyError(.wal, "\(error.message) (\"\(file.name)\")", detail: error.detail)
            }
            verifier = sink.verifier
            if !sink.hasFound { verifier.skip() }
        }
    }

    private struct Segments: ArchiveSink {
        typealias Failure = ArchiveFile.Failure

        var verifier: WALVerifier
        let directory: String?
        var hasFound = false
        private var segment: WALSegmentName?
        private var count: UInt64 = 0

        init(verifier: WALVerifier, directory: String?) {
            self.verifier = verifier
            self.directory = directory
        }

        var needsContent: Bool { segment != nil }

        func failure(_ error: BackupFormatError) -> Failure {
            Failure(kind: .archive, message: error.message, detail: error.detail)
        }

        mutating func begin(_ entry: TarEntry) {
            let prefix = directory.map { "\($0)/" } ?? "", name = entry.path.description
            count = 0
            segment = verifier.request?.segments.first { entry.kind == .file && name == "\(prefix)\($0)" }
            if segment != nil { hasFound = true }
        }

        mutating func content(_ bytes: RawSpan) {
            guard let segment else { return }
            verifier.take(bytes, at: LSN(rawValue: segment.startLSN.rawValue + count)) { _ in }
            count += UInt64(bytes.byteCount)
        }

        mutating func end() {
            if let segment { verifier.finishSegment(segment) { _ in } }
            segment = nil
        }
    }
}
