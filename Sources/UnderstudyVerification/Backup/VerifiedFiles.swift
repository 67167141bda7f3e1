import UnderstudyBackupFormat
import UnderstudyCore

/// The files of a manifest, found by their paths: some 50 bytes for each beside its path and checksum.
struct VerifiedFiles: Sendable {
    struct Entry: Sendable {
        /// The path, and behind it the checksum, in `bytes`.
        fileprivate var start: Int
        fileprivate var pathCount: UInt32
        /// The length of what the manifest has as its checksum.
        var checksumCount: UInt32
        var size: UInt64
        var algorithm: ChecksumAlgorithm?
        /// Whether the checksum has another length than its algorithm's; then it is not kept.
        var hasUnfitChecksum: Bool
        /// Whether the file is there.
        var isFound = false
        /// Whether it is known to be wrong.
        var isBad = false
        /// Whether its content is to be read.
        var needsReading: Bool { isFound && !isBad && algorithm != nil }
    }

    private var bytes: [UInt8] = []
    private(set) var entries: [Entry] = []
    /// Indices plus one, by the hashes of the paths; 0 where none is. Twice as many as entries at least.
    private var slots: [UInt32] = Array(repeating: 0, count: 1024)

    subscript(index: Int) -> Entry {
        get { entries[index] }
        set { entries[index] = newValue }
    }

    func path(_ index: Int) -> [UInt8] {
        let entry = entries[index]
        return Array(bytes[entry.start..<entry.start + Int(entry.pathCount)])
    }

    func expected(_ index: Int) -> ExpectedFile {
        let entry = entries[index], start = entry.start + Int(entry.pathCount)
        var file = ExpectedFile(path: path(index), size: entry.size, algorithm: entry.algorithm)
        if entry.hasUnfitChecksum {
            file.unfitCount = entry.checksumCount
        } else if let algorithm = entry.algorithm {
            file.checksum = FileChecksum(algorithm, Array(bytes[start..<start + Int(entry.checksumCount)]))
        }
        return file
    }

    /// - Returns: False if there is a file of this path already.
    mutating func add(_ path: [UInt8], _ file: ManifestFile?) -> Bool {
        guard index(of: path) == nil else { return false }
        let checksum = file?.checksum?.bytes ?? []
        entries.append(
            Entry(
                start: bytes.count, pathCount: UInt32(path.count),
                checksumCount: UInt32(file?.unfitChecksum?.count ?? checksum.count), size: file?.size ?? 0,
                algorithm: file?.checksum?.algorithm ?? file?.unfitChecksum?.algorithm,
                hasUnfitChecksum: file?.unfitChecksum != nil))
        bytes += path
        bytes += checksum
        if entries.count * 2 > slots.count {
            slots = Array(repeating: 0, count: slots.count * 2)
            for index in entries.indices { enter(index) }
        } else {
            enter(entries.count - 1)
        }
        return true
    }

    func index(of path: [UInt8]) -> Int? {
        var slot = slot(path[...])
        while slots[slot] != 0 {
            let index = Int(slots[slot] - 1), entry = entries[index]
            if Int(entry.pathCount) == path.count, bytes[entry.start...].starts(with: path) { return index }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    private mutating func enter(_ index: Int) {
        let entry = entries[index]
        var slot = slot(bytes[entry.start..<entry.start + Int(entry.pathCount)])
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = UInt32(index + 1)
    }

    /// Seeded for each process: nobody can choose paths that collide.
    private func slot(_ path: ArraySlice<UInt8>) -> Int {
        var hasher = Hasher()
        // Read during the call only.
        unsafe path.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        return hasher.finalize() & (slots.count - 1)
    }
}

/// What a manifest says, as it is read.
struct VerifiedManifest: Sendable {
    var files = VerifiedFiles()
    var ranges: [ManifestWALRange] = []
    var version = 0
    var systemIdentifier: UInt64?
}

extension VerifiedManifest: ManifestSink {
    typealias Failure = UnderstudyError

    func failure(_ error: BackupFormatError) -> UnderstudyError {
        guard let stock = error.stockMessage else {
            return UnderstudyError(.verification, error.message, detail: error.detail, cause: error)
        }
        return UnderstudyError(.verification, stock, cause: error)
    }

    mutating func file(_ file: ManifestFile) throws(UnderstudyError) {
        try add(file.path.bytes, file)
    }

    /// No name of a directory is such, so it will be missing.
    mutating func foreignFile(_ name: [UInt8]) throws(UnderstudyError) {
        try add(name, nil)
    }

    mutating func walRange(_ range: ManifestWALRange) {
        ranges.append(range)
    }

    private mutating func add(_ path: [UInt8], _ file: ManifestFile?) throws(UnderstudyError) {
        guard !files.add(path, file) else { return }
        throw UnderstudyError(
            .verification, "duplicate path name in backup manifest: \"\(MemberPath.escaped(path))\"")
    }
}
