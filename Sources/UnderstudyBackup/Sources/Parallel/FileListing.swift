import UnderstudyBackupFormat
import UnderstudyConnection
import UnderstudyCore
import UnderstudyProtocol

/// Lists the files of a server by SQL, without those that BASE_BACKUP would leave out.
///
/// SQL follows symbolic links. What cannot be read, and a directory that leads back to one above it, is left out below names
/// that no server makes: see ``isServerOwned(_:)``.
struct FileListing {
    private let session: Session
    private let sql: BackupSQL
    private let exclusions: BackupExclusions
    private(set) var table = FileTable()
    /// What is left out for another reason than its name, and why.
    private(set) var leftOut = TruncatedList()

    /// The directory of links to tablespaces.
    static let tablespaces = "pg_tblspc"

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
        let found = try entries(of: root)
        for (entry, name) in found.names.enumerated() where found.isDirectory[entry] && name.starts(with: prefix) {
            let text = try text(name, in: root)
            _ = try table.add(
                .init(archive: index, isOfTablespace: true, path: "\(root)/\(text)", member: Array(name)))
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
            let decisions = try exclusions.decide(found.names, in: directory.place, of: directory.root)
            for (index, decision) in decisions.enumerated() {
                let name = found.names[index], isDirectory = found.isDirectory[index]
                switch decision {
                case .leaveOut: continue
                case .makeEmpty where !isDirectory: continue
                case .keep where !isDirectory:
                    _ = try text(name, in: directory.path)
                    try table.add(name, in: next - 1, size: found.sizes[index], modificationTime: found.times[index])
                    bytes = bytes.addingSaturated(found.sizes[index])
                case .keep: try add(name, in: directory, isEntered: !isTablespaces(name, directory))
                case .makeEmpty:
                    try add(name, in: directory, isEntered: false)
                    guard name.elementsEqual(sql.version.walDirectoryName.utf8) else { continue }
                    let wal = table.directories.last!
                    for name in exclusions.directoriesOfWAL {
                        try add(Array(name.utf8)[...], in: wal, isEntered: false)
                    }
                }
            }
        }
        return bytes
    }

    /// What is in pg_tblspc are tablespaces, each an archive of its own.
    private func isTablespaces(_ name: ArraySlice<UInt8>, _ directory: FileTable.Directory) -> Bool {
        directory.path == "." && name.elementsEqual(Self.tablespaces.utf8)
    }

    private mutating func add(
        _ name: ArraySlice<UInt8>, in directory: FileTable.Directory, isEntered: Bool
    ) throws(UnderstudyError) {
        let path = Self.path(try text(name, in: directory.path), in: directory.path)
        let member = directory.member.isEmpty ? Array(name) : directory.member + [UInt8(ascii: "/")] + name
        _ = try FileTable.path(member)
        if isEntered, try leadsBack(path) { return }
        _ = try table.add(
            .init(
                archive: directory.archive, isOfTablespace: directory.isOfTablespace, path: path, member: member,
                isEntered: isEntered))
    }

    private static func path(_ name: String, in directory: String) -> String {
        directory == "." ? name : "\(directory)/\(name)"
    }

    // MARK: - What is no server's

    /// Whether a server makes what has this path, and needs it: then an error ends the backup.
    static func isServerOwned(_ path: String) -> Bool {
        let top = path.prefix { $0 != "/" }
        return top.hasPrefix("pg_")
            || [".", "base", "global", "PG_VERSION", "postgresql.conf", "postgresql.auto.conf"].contains(top)
    }

    /// More than the kernel follows on one path: MAXSYMLINKS is 40.
    private static let mostLinks = 41
    /// PATH_MAX, and the length of the data directory's own path.
    private static let longestProbe = 3000

    /// Whether a directory is one of those above it, by a link; it is noted then.
    ///
    /// SQL does not tell links. But a loop can be gone around again and again, until the kernel refuses that, and no other
    /// path can.
    private mutating func leadsBack(_ path: String) throws(UnderstudyError) -> Bool {
        guard !Self.isServerOwned(path) else { return false }
        let parts = path.split(separator: "/")
        let probes = parts.indices.map { above in
            (parts[..<above] + Array(repeating: parts[above...], count: Self.mostLinks).joined()).joined(separator: "/")
        }.filter { $0.utf8.count <= Self.longestProbe }
        guard let failure = try self.failure(of: probes) else { return false }
        let isClosed = failure.sqlState == "42501"
        leftOut.note(
            "\"\(path)\" (\(isClosed ? "the server may not enter it" : "it leads back to a directory above it"))")
        return true
    }

    /// Why the server cannot look at one of these paths; nil if it can, or if a file is in the way (ENOTDIR).
    private func failure(of probes: [String]) throws(UnderstudyError) -> UnderstudyError? {
        guard !probes.isEmpty else { return nil }
        do throws(UnderstudyError) {
            try repeated { () throws(UnderstudyError) in
                try session.copyRows(sql.probe(probes), columns: 1) { _ in }
            }
            return nil
        } catch  where error.isOfServerFile {
            guard error.sqlState == "42809" else { return error }
            guard probes.count > 1 else { return nil }
            for probe in probes { if let found = try failure(of: [probe]) { return found } }
            return nil
        }
    }

    /// What is in a directory. What cannot be read of it is noted, if it is no server's.
    private mutating func entries(of directory: String) throws(UnderstudyError) -> DirectoryEntries {
        let mayHoldForeign = directory == "." || !Self.isServerOwned(directory)
        do throws(UnderstudyError) {
            return try ask(sql.list(directory, readsFiles: mayHoldForeign), of: directory)
        } catch  where mayHoldForeign && error.isOfServerFile {}
        let names: NameList
        do throws(UnderstudyError) { names = try askNames(of: directory) } catch {
            guard error.isOfServerFile, !Self.isServerOwned(directory) else { throw error }
            leftOut.note("\"\(directory)\" (\(error.message))")
            return DirectoryEntries()
        }
        var found = DirectoryEntries()
        for name in names {
            let text = try text(name, in: directory), path = Self.path(text, in: directory)
            do throws(UnderstudyError) {
                try found.append(ask(sql.list(directory, only: text, readsFiles: true), of: directory))
            } catch  where error.isOfServerFile && !Self.isServerOwned(path) {
                leftOut.note("\"\(path)\" (\(error.message))")
            }
        }
        try found.dropRepeated()
        return found
    }

    // MARK: - Queries

    private static let attempts = 5

    /// Asks again if the server ends the query, as a standby does whose replay it holds up.
    private func repeated(_ ask: () throws(UnderstudyError) -> Void) throws(UnderstudyError) {
        for _ in 1..<Self.attempts {
            do throws(UnderstudyError) { return try ask() } catch {
                guard error.costsPiece, error.code != .connection else { throw error }
            }
        }
        try ask()
    }

    private func ask(_ query: String, of directory: String) throws(UnderstudyError) -> DirectoryEntries {
        var found = DirectoryEntries()
        try repeated { () throws(UnderstudyError) in
            found = DirectoryEntries()
            try session.copyRows(query, columns: 4) { row throws(UnderstudyError) in
                let name = try Self.name(row, directory)
                let values: (size: Int64?, isDirectory: Int32?, time: Int64?)
                do throws(ProtocolError) { values = (try row.int64(1), try row.int32(2), try row.int64(3)) } catch {
                    throw UnderstudyError(error)
                }
                guard let size = values.size, size >= 0 else { throw Self.impossible(directory) }
                try found.append(name, UInt64(size), values.isDirectory != 0, values.time ?? 0)
            }
        }
        try found.dropRepeated()
        return found
    }

    private func askNames(of directory: String) throws(UnderstudyError) -> NameList {
        var names = NameList()
        try repeated { () throws(UnderstudyError) in
            names = NameList()
            try session.copyRows(sql.names(in: directory), columns: 1) { row throws(UnderstudyError) in
                let name = try Self.name(row, directory)
                guard names.count < FileTable.mostFiles, names.hasRoom(for: name.count) else { throw FileTable.endless }
                names.append(name)
            }
        }
        return names
    }

    private static func name(
        _ row: borrowing BinaryCopyRow, _ directory: String
    ) throws(UnderstudyError) -> [UInt8] {
        let name = row.bytes(0)?.array ?? []
        guard (1...FileTable.longestName).contains(name.count) else { throw impossible(directory) }
        return name
    }

    private static func impossible(_ directory: String) -> UnderstudyError {
        UnderstudyError(ProtocolError("server lists a file in \"\(directory)\" that there cannot be"))
    }

    /// The name as the server takes it in a query.
    private func text(_ name: ArraySlice<UInt8>, in directory: String) throws(UnderstudyError) -> String {
        if let text = String(validating: name, as: UTF8.self), !text.utf8.contains(0) { return text }
        throw UnderstudyError(
            .server,
            "file \"\(MemberPath.escaped(Array(name)))\" in \"\(directory)\" of the server has a name that is no UTF-8",
            hint: "Rename or remove it there, or take the backup over one connection, where names are bytes.",
            cause: NameIsNoText())
    }
}

/// A file of the server has a name that no query can hold.
struct NameIsNoText: Error {}

extension UnderstudyError {
    /// Whether the server could not look at one of its files, or not read it. ELOOP has no SQLSTATE of its own (XX000), and
    /// before 17 neither has ENAMETOOLONG.
    ///
    /// Source: errcode_for_file_access, elog.c.
    var isOfServerFile: Bool {
        ["42501", "42809", "58030", "58P01", "58P02", "58P03", "XX000"].contains(sqlState)
    }
}
