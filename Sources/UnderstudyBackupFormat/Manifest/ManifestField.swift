/// The fields of a backup manifest's objects.
enum ManifestField: UInt32 {
    case version, systemIdentifier, files, walRanges, manifestChecksum
    case path, encodedPath, size, lastModified, checksumAlgorithm, checksum
    case timeline, startLSN, endLSN

    var name: String {
        switch self {
        case .version: "PostgreSQL-Backup-Manifest-Version"
        case .systemIdentifier: "System-Identifier"
        case .files: "Files"
        case .walRanges: "WAL-Ranges"
        case .manifestChecksum: "Manifest-Checksum"
        case .path: "Path"
        case .encodedPath: "Encoded-Path"
        case .size: "Size"
        case .lastModified: "Last-Modified"
        case .checksumAlgorithm: "Checksum-Algorithm"
        case .checksum: "Checksum"
        case .timeline: "Timeline"
        case .startLSN: "Start-LSN"
        case .endLSN: "End-LSN"
        }
    }

    /// The fields of one kind of object, with their names as bytes. A manifest has five names for each of a million
    /// files; comparing strings would allocate one for each name.
    struct Table: Sendable {
        private var entries: [(field: ManifestField, name: [UInt8])]

        init(_ fields: [ManifestField]) {
            entries = fields.map { ($0, Array($0.name.utf8)) }
        }

        subscript(name: [UInt8]) -> ManifestField? {
            entries.first { $0.name == name }?.field
        }
    }

    static let ofManifest = Table([.version, .systemIdentifier, .files, .walRanges, .manifestChecksum])
    static let ofFile = Table([.path, .size, .lastModified, .checksumAlgorithm, .checksum, .encodedPath])
    static let ofWALRange = Table([.timeline, .startLSN, .endLSN])
}

/// The fields seen so far in an object.
struct ManifestFieldSet {
    private var bits: UInt32 = 0

    func contains(_ field: ManifestField) -> Bool {
        bits & (1 << field.rawValue) != 0
    }

    mutating func insert(_ field: ManifestField) {
        bits |= 1 << field.rawValue
    }
}
