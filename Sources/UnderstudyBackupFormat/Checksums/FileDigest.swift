/// Computes the checksums of files, one after another, from their bytes.
///
/// A digest belongs to one thread at a time.
package struct FileDigest: ~Copyable, Sendable {
    /// Nil for a digest that computes nothing.
    package let algorithm: ChecksumAlgorithm?
    private var crc = CRC32C()
    /// Nil for CRC-32C, or without an algorithm.
    private var sha: LibraryDigest?

    /// - Throws: If libcrypto lacks the algorithm, for example because it is restricted to FIPS.
    package init(_ algorithm: ChecksumAlgorithm?) throws(BackupFormatError) {
        self.algorithm = algorithm
        switch algorithm {
        case nil, .crc32c: sha = nil
        case .sha224: sha = try LibraryDigest(.sha224)
        case .sha256: sha = try LibraryDigest(.sha256)
        case .sha384: sha = try LibraryDigest(.sha384)
        case .sha512: sha = try LibraryDigest(.sha512)
        }
    }

    /// Adds the next bytes of the file. A failure of libcrypto is thrown by `finish`.
    package mutating func update(_ bytes: RawSpan) {
        if algorithm == .crc32c {
            crc.update(bytes)
        } else {
            sha?.update(bytes)
        }
    }

    /// The checksum of all bytes since `init` or `reset`; nil without an algorithm. Call only `reset` afterwards.
    package mutating func finish() throws(BackupFormatError) -> FileChecksum? {
        guard let algorithm else { return nil }
        if algorithm == .crc32c { return FileChecksum(crc32c: crc.value) }
        guard let bytes = sha?.finish(), let checksum = FileChecksum(algorithm, bytes) else {
            throw BackupFormatError(
                .digest, "could not compute \(algorithm.rawValue) checksum", detail: "The library libcrypto failed.")
        }
        return checksum
    }

    /// Starts the next file.
    package mutating func reset() {
        crc = CRC32C()
        sha?.reset()
    }
}
