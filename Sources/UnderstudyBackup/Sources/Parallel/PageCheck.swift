import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyWAL

/// Verifies the checksums of pages as they arrive, as BASE_BACKUP does on the server.
///
/// A page that was written after the start of the backup may arrive torn, and is right by the WAL: it has a later LSN, or
/// is whole when it is read again.
final class PageCheck: Sendable {
    private let pageSize: Int
    private let pagesPerSegment: UInt32
    /// Pages with a later LSN are not verified.
    private let start: LSN
    private let damage = Monitor((pages: 0, files: TruncatedList(), last: ""))

    init(pageSize: Int, pagesPerSegment: UInt32, start: LSN) {
        self.pageSize = pageSize
        self.pagesPerSegment = pagesPerSegment
        self.start = start
    }

    /// The numbers of the pages whose checksum is wrong, counted from the beginning of the relation.
    ///
    /// - Parameters:
    ///   - bytes: Of the file, from `offset` on. A page that is not whole is not verified.
    ///   - path: Relative to the data directory.
    func flaws(in bytes: RawSpan, of path: String, at offset: UInt64) -> [UInt32] {
        guard Int(offset) % pageSize == 0, let name = Self.relation(at: path),
            let before = name.firstBlock(blocksPerSegment: pagesPerSegment)
        else { return [] }
        var flaws: [UInt32] = []
        var first = 0, number = before &+ UInt32(truncatingIfNeeded: offset / UInt64(pageSize))
        while first + pageSize <= bytes.byteCount {
            if !isSound(bytes.extracting(first..<first + pageSize), number) { flaws.append(number) }
            first += pageSize
            number &+= 1
        }
        return flaws
    }

    /// The relation's file with this path; nil for any other file.
    private static func relation(at path: String) -> RelationFileName? {
        let parts = path.utf8.split(separator: UInt8(ascii: "/"))
        let isThere =
            switch parts.count {
            case 2: parts[0].elementsEqual("global".utf8)
            case 3: parts[0].elementsEqual("base".utf8)
            case 5: parts[0].elementsEqual("pg_tblspc".utf8)
            default: false
            }
        guard isThere, let name = parts.last else { return nil }
        return RelationFileName(parsing: name)
    }

    private func isSound(_ page: RawSpan, _ number: UInt32) -> Bool {
        guard let header = PageHeader(page) else { return true }
        if header.isNew || LSN(rawValue: header.lsn) > start { return true }
        return PageChecksum.compute(page, block: number) == header.checksum
    }

    /// Notes a damaged page.
    func note(_ number: UInt32, of path: String) {
        damage.change { damage in
            damage.pages += 1
            if damage.last != path { damage.files.note("\"\(path)\" (page \(number))") }
            damage.last = path
        }
    }

    /// The error for the damage that was found; nil if there is none.
    var failure: UnderstudyError? {
        damage.read { damage in
            guard damage.pages > 0 else { return nil }
            let pages = damage.pages == 1 ? "1 damaged page" : "\(damage.pages) damaged pages"
            return UnderstudyError(
                .damagedPages, "server has \(pages)",
                detail: "Their checksums are wrong in \(damage.files.list).")
        }
    }
}
