import UnderstudyBackupFormat
import UnderstudyCore

/// What a manifest says of a file.
struct ExpectedFile: Sendable {
    var path: [UInt8]
    var size: UInt64
    var algorithm: ChecksumAlgorithm?
    /// nil without one, or with one that does not fit its algorithm.
    var checksum: FileChecksum?
    /// The length of a checksum that does not fit its algorithm.
    var unfitCount: UInt32?

    /// The path for messages.
    var shown: String { MemberPath.escaped(path) }
}

/// What is done with the contents of files, in a directory or in an archive: their checksums are compared with the manifest's.
///
/// A check belongs to one thread, and takes one file, or part of one, after another. What is wrong is reported.
struct FileCheck: ~Copyable {
    private let reporter: VerificationReporter
    private var digest: FileDigest
    private var file: ExpectedFile?
    private var part: FilePart?
    /// The archive that the file is in.
    private var archive: String?
    private var count: UInt64 = 0

    init(_ reporter: VerificationReporter) throws(UnderstudyError) {
        self.reporter = reporter
        digest = try Self.digest(nil)
    }

    /// - Parameters:
    ///   - part: Which bytes come, if not all of the file's.
    ///   - archive: The one that the file is in.
    /// - Throws: If libcrypto lacks the algorithm.
    mutating func begin(
        _ file: ExpectedFile, _ part: FilePart? = nil, in archive: String? = nil
    ) throws(UnderstudyError) {
        if digest.algorithm != file.algorithm { digest = try Self.digest(file.algorithm) }
        digest.reset()
        self.file = file
        self.part = part
        self.archive = archive
        count = 0
    }

    /// Takes the next bytes.
    ///
    /// - Parameter offset: Where they begin in the file: where those before ended.
    mutating func take(_ bytes: RawSpan, at offset: UInt64) {
        digest.update(bytes)
        count += UInt64(bytes.byteCount)
    }

    /// Ends what was begun. What is given up needs no end.
    ///
    /// - Throws: If libcrypto fails.
    mutating func finish() throws(UnderstudyError) {
        guard let file else { return }
        self.file = nil
        var sum = FilePart.Sum(count: count)
        do throws(BackupFormatError) { sum.checksum = try digest.finish() } catch { throw Self.failure(error) }
        if let part {
            guard let whole = part.whole.add(sum, part.number) else { return }
            sum = whole
        }
        flaw(of: file, sum.count, sum.checksum).map { reporter.report($0) }
    }

    private func flaw(of file: ExpectedFile, _ count: UInt64, _ checksum: FileChecksum?) -> BackupFinding? {
        let shown = file.shown
        let name = archive.map { "file \"\(shown)\" in archive \"\($0)\"" } ?? "file \"\(shown)\""
        guard count == file.size else {
            let read = archive == nil ? "but read \(count)" : "but \(count) bytes were read"
            return BackupFinding(
                kind: .size, path: shown, message: "\(name) should contain \(file.size) bytes, \(read)")
        }
        if let unfitCount = file.unfitCount {
            let expected = file.algorithm?.byteCount ?? 0
            return BackupFinding(
                kind: .checksum, path: shown,
                message: "\(name) has checksum of length \(unfitCount), but expected \(expected)")
        }
        guard checksum != nil, checksum == file.checksum else {
            return BackupFinding(kind: .checksum, path: shown, message: "checksum mismatch for \(name)")
        }
        return nil
    }

    private static func digest(_ algorithm: ChecksumAlgorithm?) throws(UnderstudyError) -> FileDigest {
        do throws(BackupFormatError) { return try FileDigest(algorithm) } catch { throw failure(error) }
    }

    private static func failure(_ error: BackupFormatError) -> UnderstudyError {
        UnderstudyError(.resources, error.message, detail: error.detail, cause: error)
    }
}
