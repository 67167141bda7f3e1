import UnderstudyCompression
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Files of an archive that may be what a server asks for.
struct RestoreCandidates {
    /// Complete ones, in the order in which they are tried.
    var complete: [StoredFile] = []
    var partial: [StoredFile] = []

    /// All ways to compress a file, none first.
    private static let methods: [Compression.Method?] = [nil] + Compression.Method.allCases

    /// Looks for the names that a file may have.
    ///
    /// - Throws: If something of such a name is no file that can be read.
    mutating func look(for name: String, in directory: ConfinedDirectory) throws(FileIOError) {
        for method in Self.methods {
            let whole = RelativePath(name + method.fileSuffix)
            let part = RelativePath(name + method.fileSuffix + ArchivedSegment.partialSuffix)
            if try directory.hasLinkedFile(whole) { complete.append(StoredFile(whole, method, in: directory)) }
            if WALSegmentName.isSegmentName(name), try directory.hasLinkedFile(part) {
                partial.append(StoredFile(part, method, in: directory))
            }
        }
    }

    /// Looks for a file among those that were set aside: their names end in the time at which that was done.
    ///
    /// - Returns: The newest one first.
    mutating func lookAside(for name: String, in archive: ConfinedDirectory) throws(FileIOError) {
        let aside = RelativePath(ConfinedDirectory.asideName)
        guard try archive.identity(of: aside) != nil else { return }
        let directory = try archive.openDirectory(aside)
        var found: [String] = []
        try directory.forEachEntry { entry throws(FileIOError) in
            if entry.kind.mayBeFile, "\(entry.name)".hasPrefix(name) { found.append("\(entry.name)") }
            return true
        }
        for file in found.sorted(by: >) {
            guard let end = file.lastIndex(of: "."), let original = Self.suffixes(file[..<end].dropFirst(name.count))
            else { continue }
            let archived = StoredFile(RelativePath(file), original.method, in: directory)
            if original.isPartial { partial.append(archived) } else { complete.append(archived) }
        }
    }

    /// What follows the name that a server gives: nothing, the method of compression, `.partial`, or both.
    private static func suffixes(_ text: Substring) -> (method: Compression.Method?, isPartial: Bool)? {
        let isPartial = text.hasSuffix(ArchivedSegment.partialSuffix)
        let rest = isPartial ? text.dropLast(ArchivedSegment.partialSuffix.count) : text
        return methods.first { $0.fileSuffix == rest }.map { ($0, isPartial) }
    }
}
