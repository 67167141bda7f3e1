import UnderstudyBackupFormat

/// Keeps what a manifest says.
struct ManifestRecorder: ManifestSink {
    typealias Failure = BackupFormatError

    var files: [ManifestFile] = []
    var ranges: [ManifestWALRange] = []
    var version = 0
    var systemIdentifier: UInt64?
    /// Paths that no server writes.
    var foreign: [[UInt8]] = []

    mutating func file(_ file: ManifestFile) throws(BackupFormatError) {
        files.append(file)
    }

    mutating func walRange(_ range: ManifestWALRange) throws(BackupFormatError) {
        ranges.append(range)
    }

    mutating func foreignFile(_ name: [UInt8]) throws(BackupFormatError) {
        foreign.append(name)
    }

    static func read(
        _ bytes: [UInt8], _ cut: Cut = .whole, _ dialect: ManifestDialect = .strict
    ) throws(BackupFormatError) -> ManifestRecorder {
        var reader = try ManifestReader(dialect)
        var recorder = ManifestRecorder()
        for range in cut.ranges(of: bytes.count) {
            try reader.consume(bytes.rawSpan.extracting(range), into: &recorder)
        }
        try reader.finish()
        recorder.version = reader.version
        recorder.systemIdentifier = reader.systemIdentifier
        return recorder
    }

    /// A manifest with its checksum: `head` is all but the last line.
    static func sealed(_ head: String) throws -> [UInt8] {
        var digest = try FileDigest(.sha256)
        digest.update([UInt8](ascii: head).rawSpan)
        let checksum = try digest.finish()
        return [UInt8](ascii: "\(head)\"Manifest-Checksum\": \"\(checksum?.description ?? "")\"}\n")
    }
}
