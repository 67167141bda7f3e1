import UnderstudyBackupFormat

/// Sees the files of a backup on their way, and records their sizes and checksums, wherever they go.
package struct MemberObserver: Sendable {
    let ledger: Ledger
    /// nil for no checksums.
    let algorithm: ChecksumAlgorithm?

    /// The first stage of a writer.
    func makeDigest() throws(BackupFormatError) -> MemberDigest {
        MemberDigest(digest: try FileDigest(algorithm), ledger: ledger)
    }
}

/// Computes the checksum of one file after another. Used by one thread.
struct MemberDigest: ~Copyable {
    private var digest: FileDigest
    private let ledger: Ledger

    init(digest: consuming FileDigest, ledger: Ledger) {
        self.digest = digest
        self.ledger = ledger
    }

    mutating func begin() {
        digest.reset()
    }

    mutating func update(_ bytes: RawSpan) {
        digest.update(bytes)
    }

    /// Records the file, or notes the piece and records the file with its last one. Without a checksum, it will not match
    /// the manifest.
    mutating func end(
        _ path: MemberPath, _ size: UInt64, modified: Int64, piece: FilePiece?
    ) {
        var checksum = try? digest.finish()
        if let piece {
            guard let whole = piece.file.add(checksum, of: piece) else { return }
            checksum = whole
        }
        ledger.record(path, size: size, modified: modified, checksum: checksum)
    }
}
