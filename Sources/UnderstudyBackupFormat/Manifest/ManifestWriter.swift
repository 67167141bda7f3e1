/// Writes a backup manifest while its files become known, byte for byte as servers write it.
///
/// The output comes in pieces of some KiB; memory does not grow with the manifest. `pg_verifybackup` reads it, and from 17
/// a server takes it for an incremental backup.
///
/// Source: PostgreSQL manual, "Backup Manifest Format"; the server's backup_manifest.c.
package struct ManifestWriter: ~Copyable, Sendable {
    private var digest: FileDigest
    /// What was not passed on yet.
    private var buffer: [UInt8] = []
    private var hasFiles = false

    /// - Parameter systemIdentifier: Makes a manifest of version 2, as servers from 17 do; nil makes one of version 1.
    /// - Throws: If libcrypto does not offer SHA-256.
    package init(systemIdentifier: UInt64?) throws(BackupFormatError) {
        digest = try FileDigest(.sha256)
        buffer.reserveCapacity(Self.pieceSize + 8192)
        put("{ \"\(ManifestField.version.name)\": \(systemIdentifier == nil ? 1 : 2),\n")
        if let systemIdentifier { put("\"\(ManifestField.systemIdentifier.name)\": \(systemIdentifier),\n") }
        put("\"\(ManifestField.files.name)\": [")
    }

    /// Adds a file. The order of the files does not matter.
    ///
    /// - Parameters:
    ///   - modified: When the file was changed last, in seconds since 1970-01-01 00:00:00 UTC. It serves information only.
    ///   - encodesPath: Writes the path in hexadecimal even if it is valid UTF-8: the server's MANIFEST 'force-encode'.
    ///   - output: Receives what is ready, if anything is, and is only called within this call.
    package mutating func add<Failure: Error>(
        _ file: ManifestFile, modified: Int64, encodesPath: Bool = false,
        to output: (RawSpan) throws(Failure) -> Void
    ) throws(Failure) {
        put(hasFiles ? ",\n{ " : "\n{ ")
        hasFiles = true
        if let path = file.path.string, !encodesPath {
            put("\"\(ManifestField.path.name)\": ")
            put(quoted: path)
        } else {
            put("\"\(ManifestField.encodedPath.name)\": \"\(Hexadecimal.string(file.path.bytes))\"")
        }
        put(", \"\(ManifestField.size.name)\": \(file.size)")
        put(", \"\(ManifestField.lastModified.name)\": \"\(ManifestTime.text(modified))\"")
        if let checksum = file.checksum {
            put(", \"\(ManifestField.checksumAlgorithm.name)\": \"\(checksum.algorithm.rawValue)\"")
            put(", \"\(ManifestField.checksum.name)\": \"\(checksum)\"")
        }
        put(" }")
        if buffer.count >= Self.pieceSize { try pass(to: output) }
    }

    /// Ends the manifest: the WAL that the backup needs, and the checksum over all lines before its own. The writer must not
    /// be used again.
    ///
    /// - Parameters:
    ///   - ranges: The latest timeline first, as the server lists them; at least one.
    ///   - failure: Wraps a failure of libcrypto.
    package mutating func finish<Failure: Error>(
        _ ranges: [ManifestWALRange], failure: (BackupFormatError) -> Failure,
        to output: (RawSpan) throws(Failure) -> Void
    ) throws(Failure) {
        put("\n],\n\"\(ManifestField.walRanges.name)\": [\n")
        for (index, range) in ranges.enumerated() {
            put(index == 0 ? "{ " : ",\n{ ")
            put("\"\(ManifestField.timeline.name)\": \(range.timeline)")
            put(", \"\(ManifestField.startLSN.name)\": ")
            put(quoted: range.start)
            put(", \"\(ManifestField.endLSN.name)\": ")
            put(quoted: range.end)
            put(" }")
        }
        put("\n],\n")
        try pass(to: output)
        let checksum: FileChecksum?
        do throws(BackupFormatError) { checksum = try digest.finish() } catch { throw failure(error) }
        put("\"\(ManifestField.manifestChecksum.name)\": \"\(checksum?.description ?? "")\"}\n")
        try output(buffer.rawSpan)
        buffer = []
    }

    private static let pieceSize = 16 << 10

    private mutating func pass<Failure: Error>(
        to output: (RawSpan) throws(Failure) -> Void
    ) throws(Failure) {
        var piece: [UInt8] = []
        swap(&piece, &buffer)
        digest.update(piece.rawSpan)
        try output(piece.rawSpan)
        piece.removeAll(keepingCapacity: true)
        swap(&piece, &buffer)
    }

    private mutating func put(_ text: String) {
        buffer.append(contentsOf: text.utf8)
    }

    /// A string of JSON, escaped as the server's escape_json does it.
    private mutating func put(quoted text: String) {
        buffer.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): buffer += [UInt8(ascii: "\\"), byte]
            case 0x08: put("\\b")
            case 0x0C: put("\\f")
            case UInt8(ascii: "\n"): put("\\n")
            case UInt8(ascii: "\r"): put("\\r")
            case UInt8(ascii: "\t"): put("\\t")
            case 0..<0x20: put("\\u00\(Hexadecimal.string([byte]))")
            default: buffer.append(byte)
            }
        }
        buffer.append(UInt8(ascii: "\""))
    }
}
