/// Computes the digests by which blocks of files are compared with those of a server, as its SQL functions give them.
package struct BlockDigest: ~Copyable {
    package enum Algorithm: Sendable {
        /// `sha256(bytea)`.
        case sha256
        /// `md5(bytea)`.
        case md5
    }

    private var digest: LibraryDigest

    /// - Throws: If libcrypto lacks the algorithm, for example because it is restricted to FIPS.
    package init(_ algorithm: Algorithm) throws(BackupFormatError) {
        digest = try LibraryDigest(algorithm == .sha256 ? .sha256 : .md5)
    }

    /// The digest of these bytes: 32 bytes of SHA-256, 16 of MD5.
    package mutating func compute(_ bytes: RawSpan) throws(BackupFormatError) -> [UInt8] {
        digest.reset()
        digest.update(bytes)
        guard let result = digest.finish() else {
            throw BackupFormatError(
                .digest, "could not compute the digest of a block", detail: "The library libcrypto failed.")
        }
        return result
    }
}
