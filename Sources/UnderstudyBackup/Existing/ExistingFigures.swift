import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// Where a comparison finds what is there.
struct ExistingRoots {
    var data: ConfinedDirectory
    var walName: String
    /// Whether each tablespace of the source lies behind a link; if not, in the data directory.
    var isLinked: [UInt32: Bool]
    /// The directory of a tablespace; nil if there is none yet.
    var tablespace: (UInt32) throws(UnderstudyError) -> ConfinedDirectory?
    /// The WAL directory, wherever it is; nil if there is none yet.
    var wal: ConfinedDirectory?

    var hasTablespaceLinks: Bool { (try? data.kind(of: "pg_tblspc")) == .directory }
}

/// Files and their bytes.
public struct FileFigures: Sendable, Equatable, Codable {
    public var files = 0
    public var bytes: UInt64 = 0

    mutating func count(_ size: UInt64) {
        files += 1
        bytes = bytes.addingSaturated(size)
    }
}

/// What a directory has of its source, by names and sizes.
struct ExistingFigures {
    var source = FileFigures()
    var sameSize = FileFigures()
    /// With the bytes that the source has.
    var otherSize = FileFigures()
    var missing = FileFigures()
    var surplus = FileFigures()
    /// Bytes of files that are there and stay, by the archive's index.
    private(set) var held: [Int: UInt64] = [:]
    /// Bytes of ``surplus``, by the archive's index.
    private(set) var freed: [Int: UInt64] = [:]

    mutating func grow(archive: Int, by size: UInt64) {
        held[archive] = (held[archive] ?? 0).addingSaturated(size)
    }

    mutating func countSurplus(archive: Int, _ size: UInt64) {
        surplus.count(size)
        freed[archive] = (freed[archive] ?? 0).addingSaturated(size)
    }

    /// An archive with what it still needs in place of its size.
    func growth(of archive: AnnouncedArchive, _ index: Int) -> AnnouncedArchive {
        var archive = archive
        archive.size = archive.size.map { $0 - min($0, held[index] ?? 0) }
        return archive
    }

    /// What was not found is missing.
    mutating func settle() {
        missing.files = source.files - sameSize.files - otherSize.files
        missing.bytes = source.bytes - sameSize.bytes - otherSize.bytes
    }
}
