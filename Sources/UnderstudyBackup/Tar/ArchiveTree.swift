import UnderstudyBackupFormat

/// The names in an archive so far: what a file system would refuse is refused where there is none.
///
/// Keeps a hash of each path, seeded anew in each process: 8 bytes for a name, and names that collide cannot be chosen.
/// That two of a million names collide by chance has a probability of less than 1 in 10 million.
struct ArchiveTree {
    private var members: Set<Int> = []
    private var directories: Set<Int> = []

    /// Adds a member.
    ///
    /// - Returns: Why it cannot stand in its place, as a sentence; nil if it can.
    mutating func add(_ entry: TarEntry) -> String? {
        let bytes = entry.path.bytes
        if let slash = bytes.lastIndex(of: UInt8(ascii: "/")), !directories.contains(Self.hash(bytes[..<slash])) {
            return "No directory has come that holds it."
        }
        let hash = Self.hash(bytes[...])
        guard members.insert(hash).inserted else { return "There is one of that name already." }
        if entry.kind == .directory { directories.insert(hash) }
        return nil
    }

    private static func hash(_ bytes: ArraySlice<UInt8>) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes)
        return hasher.finalize()
    }
}
