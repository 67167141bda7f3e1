/// Why an archive or a backup manifest cannot be read.
///
/// `message` has PostgreSQL's form: lower case, no full stop, objects quoted; `detail` is whole sentences.
/// Which archive it was is known to the caller alone.
package struct BackupFormatError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// The archive is not one that any tar program could have written.
        case malformedArchive
        /// A member that no server sends: a hard link, a device, an extension header.
        case unsupportedMember
        /// A path that leads out of the directory it is meant for, or nowhere.
        case unsafePath
        /// The bytes end before what they announced.
        case truncated
        /// The manifest is not one that a server could have written.
        case malformedManifest
        /// The manifest does not have the checksum that it says it has.
        case manifestChecksum
        /// libcrypto could not compute a checksum.
        case digest
    }

    package var code: Code
    package var message: String
    package var detail: String?

    package init(_ code: Code, _ message: String, detail: String? = nil) {
        self.code = code
        self.message = message
        self.detail = detail
    }

    package var description: String {
        guard let detail else { return message }
        return "\(message)\nDETAIL:  \(detail)"
    }
}

/// What takes the events of a reader of this module, and says how its own error type holds the reader's errors.
///
/// So a reader's `consume` throws one type, the sink's, whoever of the two fails.
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
