import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyProtocol
import UnderstudyWAL

/// Passes the backup manifest to its output as it arrives, and compares every file that it lists with the data received.
struct ManifestVerifier: ~Copyable {
    private var reader: ManifestReader
    private var comparison: Comparison
    private let expected: Expected
    private let output: any ManifestOutput

    /// The values that the manifest of this backup must have.
    struct Expected: Sendable {
        var version: ServerVersion
        /// As reported by IDENTIFY_SYSTEM.
        var systemIdentifier: String
        /// The requested algorithm; nil for no checksums.
        var algorithm: ChecksumAlgorithm?

        /// Servers from 17 write their system identifier into the manifest.
        var manifestVersion: Int { version.namesSystemInManifest ? 2 : 1 }
    }

    /// - Parameter ledger: Must be complete: every writer is done.
    init(output: any ManifestOutput, ledger: Ledger, expected: Expected) throws(UnderstudyError) {
        do throws(BackupFormatError) { reader = try ManifestReader() } catch { throw UnderstudyError(error) }
        comparison = Comparison(ledger: ledger, algorithm: expected.algorithm)
        self.expected = expected
        self.output = output
    }

    mutating func take(_ bytes: RawSpan) throws(UnderstudyError) {
        try output.write(bytes)
        try reader.consume(bytes, into: &comparison)
    }

    /// Finishes the comparison, and closes the manifest.
    ///
    /// - Parameters:
    ///   - start: The start of the backup, as the server reported it.
    ///   - end: Its end.
    /// - Returns: The number of files that match.
    consuming func finish(from start: BackupPosition, to end: BackupPosition) throws(UnderstudyError) -> Int {
        do throws(BackupFormatError) { try reader.finish() } catch { throw UnderstudyError(error) }
        if reader.version != expected.manifestVersion {
            comparison.note(
                "Its version is \(reader.version), and a server of version \(expected.version.major) writes version \(expected.manifestVersion)."
            )
        }
        if let identifier = reader.systemIdentifier, "\(identifier)" != expected.systemIdentifier {
            comparison.note(
                "Its system identifier is \(identifier), and the server's is \(expected.systemIdentifier).")
        }
        if let flaw = comparison.wal.flaw(from: start, to: end) { comparison.note(flaw) }
        let verified = try comparison.finish()
        try output.close()
        return verified
    }

    /// Collects the differences; names the first five.
    private struct Comparison: ManifestSink {
        typealias Failure = UnderstudyError

        let ledger: Ledger
        let algorithm: ChecksumAlgorithm?
        var verified = 0
        var flaws: [String] = []
        var flawCount = 0
        var wal = ManifestWAL()

        init(ledger: Ledger, algorithm: ChecksumAlgorithm?) {
            self.ledger = ledger
            self.algorithm = algorithm
        }

        mutating func walRange(_ range: ManifestWALRange) { wal.add(range) }

        func failure(_ error: BackupFormatError) -> UnderstudyError { UnderstudyError(error) }

        mutating func file(_ file: ManifestFile) throws(UnderstudyError) {
            // Without a checksum, a file would count as verified by its size alone.
            let isOtherAlgorithm = file.checksum?.algorithm != algorithm
            switch ledger.check(file) {
            case .verified where isOtherAlgorithm, .checksumDiffers where isOtherAlgorithm:
                note(
                    "\"\(file.path)\" has \(file.checksum.map { "a \($0.algorithm.rawValue)" } ?? "no") checksum, and \(algorithm?.rawValue ?? "none") was asked for."
                )
            case .verified: verified += 1
            case .missing: note("\"\(file.path)\" did not arrive.")
            case .sizeDiffers(let arrived):
                note("\"\(file.path)\" has \(arrived) bytes, and should have \(file.size).")
            case .checksumDiffers:
                note("\"\(file.path)\" does not have the checksum \(file.checksum?.description ?? "").")
            case .listedTwice: note("\"\(file.path)\" is listed twice.")
            }
        }

        mutating func note(_ flaw: String) {
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

/// The WAL that a manifest says the backup needs. A server lists the timeline of the end first, then its parent, and so
/// on to that of the start; each range begins where the next one listed ends.
struct ManifestWAL {
    private var first: ManifestWALRange?
    private var last: ManifestWALRange?
    private var gap: String?

    mutating func add(_ range: ManifestWALRange) {
        if let last, gap == nil, range.timeline >= last.timeline || LSN(range.end) != LSN(last.start) {
            gap = "Its WAL ranges do not follow on each other."
        }
        first = first ?? range
        last = range
    }

    /// Why the ranges do not match the WAL from the start to the end of the backup; nil if they do.
    func flaw(from start: BackupPosition, to end: BackupPosition) -> String? {
        guard let first, let last else { return "It has no WAL range." }
        if let gap { return gap }
        guard last.timeline == start.timeline.rawValue, LSN(last.start) == start.lsn,
            first.timeline == end.timeline.rawValue, LSN(first.end) == end.lsn
        else {
            return
                "Its WAL ranges are not the WAL from \(start.lsn) on timeline \(start.timeline) to \(end.lsn) on timeline \(end.timeline)."
        }
        return nil
    }
}
