import UnderstudyCore
import UnderstudyPlatform
import UnderstudyWAL

/// What an earlier run left that was killed, and that this run will remove.
package struct LeftoverBackup {
    var directory: UnfinishedDirectory
    var trust: TrustedUsers

    /// The permanent slot that it made.
    var slot: UnfinishedRecord.Slot? { directory.record.slot }

    /// The end of the last WAL page that it wrote; nil if there is none.
    func endOfWAL(_ size: WALSegmentSize) -> LSN? {
        var end: LSN?
        func include(_ directory: ConfinedDirectory?) {
            guard let directory, let found = Self.endOfWAL(in: directory, size) else { return }
            end = max(end ?? .invalid, found)
        }
        if let data = try? ConfinedDirectory(path: directory.path) {
            for name: RelativePath in ["pg_wal", "pg_xlog"] { include(try? data.openDirectory(name)) }
        }
        // A separate WAL directory is one of the others. There may be thousands of them.
        for path in directory.others(trust: trust) { include(try? ConfinedDirectory(path: path)) }
        return end
    }

    static func endOfWAL(in directory: ConfinedDirectory, _ size: WALSegmentSize) -> LSN? {
        var segments: [WALSegmentName] = []
        try? directory.forEachEntry { entry throws(FileIOError) in
            if entry.kind == .file, let name = WALSegmentName("\(entry.name)", size: size) { segments.append(name) }
            return true
        }
        segments.sort { $0.number > $1.number }
        let page: UInt64 = 8192
        for segment in segments {
            guard let file = try? directory.openFile(RelativePath("\(segment)"), flags: 0) else { continue }
            // Unwritten pages are zero; the header of a page has its address.
            for index in (0..<size.bytes / page).reversed() {
                let start = segment.startLSN.rawValue + index * page
                guard let head = try? file.read(from: Int64(index * page), atMost: 16, path: ""), head.count == 16
                else { continue }
                let address = head[8..<16].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                if address == start, head[0] != 0 || head[1] != 0 { return LSN(rawValue: start + page) }
            }
        }
        return nil
    }
}
