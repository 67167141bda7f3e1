import UnderstudyBackupFormat
import UnderstudyConnection
import UnderstudyCore
import UnderstudyProtocol

/// Lists the files of a server by SQL, without those that BASE_BACKUP would leave out.
struct FileListing {
    private let session: Session
    private let sql: BackupSQL
    private let exclusions: BackupExclusions
    private(set) var table = FileTable()

    /// The directory of links to tablespaces.
    static let tablespaces = "pg_tblspc"

    private struct Entry {
        var name: [UInt8]
        var size: UInt64
        var isDirectory: Bool
        var modificationTime: Int64
    }

    init(_ session: Session, _ sql: BackupSQL, exclusions: BackupExclusions) {
        self.session = session
        self.sql = sql
        self.exclusions = exclusions
    }

    /// Lists an archive: the data directory, or a tablespace.
    ///
    /// - Returns: The bytes of all files in it.
    mutating func list(_ archive: AnnouncedArchive, index: Int) throws(UnderstudyError) -> UInt64 {
        let first = table.directories.count
        guard let oid = archive.oid else {
            _ = try table.add(.init(archive: index, isOfTablespace: false, path: ".", member: []))
            return try listAll(from: first)
        }
        // A tablespace has a directory for each version of servers; this server's alone is copied.
        let root = "\(Self.tablespaces)/\(oid)", prefix = Array("PG_\(sql.version.major)_".utf8)
        for entry in try entries(of: root) where entry.isDirectory && entry.name.starts(with: prefix) {
            let name = try text(entry.name, in: root)
            _ = try table.add(
                .init(archive: index, isOfTablespace: true, path: "\(root)/\(name)", member: entry.name))
        }
        return try listAll(from: first)
    }

    /// Lists the directories from this one on, and those that are found in them.
    private mutating func listAll(from first: Int) throws(UnderstudyError) -> UInt64 {
        var bytes: UInt64 = 0, next = first
        while next < table.directories.count {
            let directory = table.directories[next]
            next += 1
            guard directory.isEntered else { continue }
            let found = try entries(of: directory.path)
            let decisions = try exclusions.decide(found.map(\.name), in: directory.place, of: directory.root)
            for (entry, decision) in zip(found, decisions) {
                switch decision {
                case .leaveOut: continue
                case .makeEmpty where !entry.isDirectory: continue
                case .keep where !entry.isDirectory:
                    _ = try text(entry.name, in: directory.path)
                    try table.add(entry.name, in: next - 1, size: entry.size, modificationTime: entry.modificationTime)
                    bytes = bytes.addingSaturated(entry.size)
                case .keep: try add(entry.name, in: directory, isEntered: !isTablespaces(entry.name, directory))
                case .makeEmpty:
                    try add(entry.name, in: directory, isEntered: false)
                    guard entry.name.elementsEqual(sql.version.walDirectoryName.utf8) else { continue }
                    let wal = table.directories.last!
                    for name in exclusions.directoriesOfWAL {
                        try add(Array(name.utf8), in: wal, isEntered: false)
                    }
                }
            }
        }
        return bytes
    }

    /// What is in pg_tblspc are tablespaces, each an archive of its own.
    private func isTablespaces(_ name: [UInt8], _ directory: FileTable.Directory) -> Bool {
        directory.path == "." && name.elementsEqual(Self.tablespaces.utf8)
    }

    private mutating func add(
        _ name: [UInt8], in directory: FileTable.Directory, isEntered: Bool
    ) throws(UnderstudyError) {
        let text = try text(name, in: directory.path)
        let member = directory.member.isEmpty ? name : directory.member + [UInt8(ascii: "/")] + name
        _ = try FileTable.path(member)
        _ = try table.add(
            .init(
                archive: directory.archive, isOfTablespace: directory.isOfTablespace,
                path: directory.path == "." ? text : "\(directory.path)/\(text)", member: member, isEntered: isEntered))
    }

    /// Asks again if the server ends the query, as a standby does whose replay it holds up.
    private func entries(of directory: String) throws(UnderstudyError) -> [Entry] {
        for _ in 0..<Self.attempts {
            do throws(UnderstudyError) { return try askEntries(of: directory) } catch {
                guard error.costsPiece, error.code != .connection else { throw error }
            }
        }
        return try askEntries(of: directory)
    }

    private static let attempts = 5

    private func askEntries(of directory: String) throws(UnderstudyError) -> [Entry] {
        var entries: [Entry] = []
        try session.copyRows(sql.list(directory), columns: 4) { row throws(UnderstudyError) in
            let entry: Entry
            do throws(ProtocolError) {
                var name: [UInt8] = []
                row.bytes(0)?.append(to: &name)
                guard (1...FileTable.longestName).contains(name.count),
                    let size = try row.int64(1), size >= 0
                else { throw ProtocolError("server lists a file in \"\(directory)\" that there cannot be") }
                entry = Entry(
                    name: name, size: UInt64(size), isDirectory: try row.int32(2) != 0,
                    modificationTime: try row.int64(3) ?? 0)
            } catch { throw UnderstudyError(error) }
            guard entries.count < FileTable.mostFiles else { throw FileTable.endless }
            entries.append(entry)
        }
        return entries
    }

    /// The name as the server takes it in a query.
    private func text(_ name: [UInt8], in directory: String) throws(UnderstudyError) -> String {
        if let text = String(validating: name, as: UTF8.self), !text.utf8.contains(0) { return text }
        throw UnderstudyError(
            .server,
            "file \"\(MemberPath.escaped(name))\" in \"\(directory)\" of the server has a name that is no UTF-8",
            hint: "Rename or remove it there, or take the backup over one connection, where names are bytes.")
    }
}
