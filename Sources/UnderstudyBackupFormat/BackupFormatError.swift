/// Why an archive or a backup manifest cannot be read.
///
/// `message` has PostgreSQL's form: lower case, no full stop, objects quoted; `detail` is whole sentences. Only the
/// caller knows which archive it was.
package struct BackupFormatError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// No tar program could have written the archive.
        case malformedArchive
        /// A member that no server sends: a hard link, a device, an extension header.
        case unsupportedMember
        /// A member that the tar format cannot hold, for a name or a link that is too long.
        case memberTooLong
        /// A path that is empty, or that leads out of its directory.
        case unsafePath
        /// The archive or manifest ends too early.
        case truncated
        /// No server could have written the manifest.
        case malformedManifest
        /// The manifest does not match its own checksum.
        case manifestChecksum
        /// libcrypto could not compute a checksum.
        case digest
    }

    package var code: Code
    package var message: String
    package var detail: String?
    /// What pg_verifybackup says of a manifest; nil for what it accepts.
    package var stockMessage: String?

    package init(_ code: Code, _ message: String, detail: String? = nil, stockMessage: String? = nil) {
        self.stockMessage = stockMessage
        self.code = code
        self.message = message
        self.detail = detail
    }

    package var description: String {
        guard let detail else { return message }
        return "\(message)\nDETAIL:  \(detail)"
    }
}

/// Receives the events of a reader in this module, and wraps the reader's errors in its own error type.
///
/// Thus a reader's `consume` throws only the sink's error type, whether the reader or the sink fails.
package protocol ReaderSink: ~Copyable {
    associatedtype Failure: Error

    func failure(_ error: BackupFormatError) -> Failure
}

extension ReaderSink where Self: ~Copyable, Failure == BackupFormatError {
    package func failure(_ error: BackupFormatError) -> BackupFormatError { error }
}

extension ReaderSink where Self: ~Copyable, Failure == any Error {
    package func failure(_ error: BackupFormatError) -> any Error { error }
}
