import UnderstudyWAL

/// A CopyData message of BASE_BACKUP from version 15 on.
///
/// The bytes in a case are borrowed: they are valid only during the call that decoded them.
package enum BackupMessage: ~Escapable {
    /// A new archive: its file name, and the tablespace's directory (empty for the data directory).
    case archive(name: String, location: String)
    /// Bytes of the archive or of the manifest.
    case data(RawSpan)
    /// Bytes that the server has processed so far, over all tablespaces.
    case progress(UInt64)
    /// The manifest follows.
    case manifest

    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan) throws(ProtocolError) {
        guard bytes.byteCount > 0 else { throw ProtocolError("empty message in the base backup") }
        let rest = bytes.extracting(1...)
        switch bytes.byte(at: 0) {
        case UInt8(ascii: "n"):
            let (name, location) = try Self.twoStrings(rest)
            self = .archive(name: name, location: location)
        case UInt8(ascii: "d"):
            self = .data(rest)
        case UInt8(ascii: "p"):
            guard rest.byteCount == 8 else {
                throw ProtocolError("progress message of \(rest.byteCount) bytes in the base backup, expected 8")
            }
            self = .progress(rest.bigEndianUInt64(at: 0))
        case UInt8(ascii: "m"):
            guard rest.byteCount == 0 else { throw ProtocolError("manifest message with a body in the base backup") }
            self = .manifest
        case let kind:
            throw ProtocolError("message of unknown kind \(kind) in the base backup")
        }
    }

    private static func twoStrings(_ bytes: RawSpan) throws(ProtocolError) -> (String, String) {
        var strings: [String] = []
        var text: [UInt8] = []
        for index in 0..<bytes.byteCount {
            let byte = bytes.byte(at: index)
            if byte == 0 {
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw ProtocolError("archive name in the base backup is no UTF-8")
                }
                strings.append(string)
                text = []
            } else {
                text.append(byte)
            }
        }
        guard strings.count == 2, text.isEmpty, !strings[0].isEmpty else {
            throw ProtocolError("malformed archive message in the base backup")
        }
        return (strings[0], strings[1])
    }
}
