import UnderstudyArchive
import UnderstudyFileIO
import UnderstudySource

/// Takes the backup manifest as it arrives: keeps it under a name of its own, and compares every file in it
/// with what has arrived.
struct ManifestVerifier: ~Copyable {
    private var reader: ManifestReader
    private var comparison: Comparison
    private let file: FileDescriptor
    private let path: String
    private var offset: Int64 = 0

    /// Every server leaves names that begin so out of a base backup, so no file of the copy can have it.
    static let temporaryName: RelativePath = "pgsql_tmp.understudy.backup_manifest"
    static let name: RelativePath = "backup_manifest"

    /// - Parameter ledger: Complete: every writer is done.
    init(directory: ConfinedDirectory, mode: UInt16, ledger: Ledger) throws(UnderstudyError) {
        let reader = try Self.makeReader()
        let file = try Self.makeFile(directory, mode)
        comparison = Comparison(ledger: ledger)
        path = directory.fullPath(Self.temporaryName)
        self.reader = reader
        self.file = file
    }

    private static func makeReader() throws(UnderstudyError) -> ManifestReader {
        do throws(ArchiveError) { return try ManifestReader() } catch { throw UnderstudyError(error) }
    }

    private static func makeFile(_ directory: ConfinedDirectory, _ mode: UInt16) throws(UnderstudyError)
        -> FileDescriptor
    {
        do throws(FileIOError) { return try directory.createFile(temporaryName, mode: mode) } catch {
            throw UnderstudyError(error)
        }
    }

    mutating func take(_ bytes: RawSpan) throws(UnderstudyError) {
        do throws(FileIOError) { try file.write(bytes, at: offset, path: path) } catch { throw UnderstudyError(error) }
        offset += Int64(bytes.byteCount)
        try reader.consume(bytes, into: &comparison)
    }

    /// - Parameter sync: Whether the manifest must be on stable storage when this returns.
    /// - Returns: The number of files that agree.
    consuming func finish(sync: Bool) throws(UnderstudyError) -> Int {
        do throws(ArchiveError) { try reader.finish() } catch { throw UnderstudyError(error) }
        let verified = try comparison.finish()
        let path = path
        do throws(FileIOError) {
            if sync { try file.sync(path: path) }
            try file.close(path: path)
        } catch { throw UnderstudyError(error) }
        return verified
    }

    /// Collects what does not agree; the first few are named.
    private struct Comparison: ManifestSink {
        typealias Failure = UnderstudyError

        let ledger: Ledger
        var verified = 0
        var flaws: [String] = []
        var flawCount = 0

        init(ledger: Ledger) {
            self.ledger = ledger
        }

        func failure(_ error: ArchiveError) -> UnderstudyError { UnderstudyError(error) }

        mutating func file(_ file: ManifestFile) throws(UnderstudyError) {
            switch ledger.check(file) {
            case .verified: verified += 1
            case .missing: note("\"\(file.path)\" did not arrive.")
            case .sizeDiffers(let arrived):
                note("\"\(file.path)\" has \(arrived) bytes, and should have \(file.size).")
            case .checksumDiffers:
                note("\"\(file.path)\" does not have the checksum \(file.checksum?.description ?? "").")
            case .listedTwice: note("\"\(file.path)\" is listed twice.")
            }
        }

        private mutating func note(_ flaw: String) {
            flawCount += 1
            if flaws.count < 5 { flaws.append(flaw) }
        }

        mutating func finish() throws(UnderstudyError) -> Int {
            let unlisted = ledger.unlistedCount
            if unlisted > 0 { note("\(unlisted) files arrived that the manifest does not list.") }
            guard flawCount == 0 else {
                let more = flawCount > flaws.count ? " There are \(flawCount - flaws.count) more." : ""
                throw UnderstudyError(
                    .verification, "backup does not agree with its manifest",
                    detail: flaws.joined(separator: " ") + more,
                    hint: "Take the backup again; if this comes back, check memory and network of both machines.")
            }
            return verified
        }
    }
}

/// Holds the verifier, which cannot be copied, between the copy and the end of the backup.
final class VerifierBox {
    private var verifier: ManifestVerifier?

    init(_ verifier: consuming ManifestVerifier?) {
        self.verifier = verifier
    }

    /// The number of files that agree; nil without a manifest.
    func finish(sync: Bool) throws(UnderstudyError) -> Int? {
        try verifier.take()?.finish(sync: sync)
    }
}
