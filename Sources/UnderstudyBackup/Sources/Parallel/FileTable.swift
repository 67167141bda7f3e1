import UnderstudyBackupFormat
import UnderstudyCore

/// The files and directories of a server, as they were listed: compact, since there may be millions. A file takes 16 bytes and
/// its name.
struct FileTable {
    /// A directory, and the archive that it is part of.
    struct Directory {
        /// The index of its archive.
        var archive: Int
        var isOfTablespace: Bool
        /// Relative to the data directory, as the server takes it; `.` for that itself.
        var path: String
        /// Relative to the root of its archive; empty for that itself.
        var member: [UInt8]
        /// Whether what is in it is copied, too.
        var isEntered = true

        var root: BackupExclusions.Root { isOfTablespace ? .tablespace : .data }

        /// Relative to ``root``; nil for that itself.
        var place: MemberPath? {
            get throws(UnderstudyError) {
                // A tablespace's own directory for this version is the root there.
                let parts = isOfTablespace ? Array(member.drop { $0 != UInt8(ascii: "/") }.dropFirst()) : member
                return parts.isEmpty ? nil : try FileTable.path(parts)
            }
        }
    }

    struct File {
        fileprivate var index: Int
        var directory: UInt32
        var size: UInt64
        /// In seconds since 1970-01-01 00:00:00 UTC.
        var modificationTime: Int64
    }

    /// All files, in the order in which they were added.
    struct Files: RandomAccessCollection {
        fileprivate let table: FileTable

        var startIndex: Int { 0 }
        var endIndex: Int { table.sizes.count }

        subscript(index: Int) -> File {
            File(
                index: index, directory: table.directoryIndex(of: index), size: table.sizes[index],
                modificationTime: Int64(table.times[index]))
        }
    }

    /// Files of one directory, which were added one after another.
    private struct Run {
        var first: UInt32
        var directory: UInt32
    }

    private(set) var directories: [Directory] = []
    private var runs: [Run] = []
    private var sizes: [UInt64] = []
    /// Times before 1970 and after 2106 are taken for these years.
    private var times: [UInt32] = []
    private var names = NameList()

    var files: Files { Files(table: self) }

    /// Far more than any server has.
    static let mostFiles = 20_000_000
    static let mostDirectories = 1_000_000
    static let longestName = 255

    /// - Returns: The directory's index.
    mutating func add(_ directory: Directory) throws(UnderstudyError) -> Int {
        guard directories.count < Self.mostDirectories else { throw Self.endless }
        directories.append(directory)
        return directories.count - 1
    }

    mutating func add(
        _ name: some Collection<UInt8>, in directory: Int, size: UInt64, modificationTime: Int64
    ) throws(UnderstudyError) {
        guard sizes.count < Self.mostFiles, names.hasRoom(for: name.count) else { throw Self.endless }
        if runs.last?.directory != UInt32(directory) {
            runs.append(Run(first: UInt32(sizes.count), directory: UInt32(directory)))
        }
        sizes.append(size)
        times.append(UInt32(clamping: modificationTime))
        names.append(name)
    }

    static var endless: UnderstudyError {
        UnderstudyError(
            .protocolViolation, "server lists more than \(mostFiles) files or \(mostDirectories) directories")
    }

    private func directoryIndex(of file: Int) -> UInt32 {
        // The last run that begins at or before the file.
        var low = 0, high = runs.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if runs[middle].first <= UInt32(file) { low = middle } else { high = middle }
        }
        return runs[low].directory
    }

    func name(_ file: File) -> ArraySlice<UInt8> { names[file.index] }

    func directory(of file: File) -> Directory { directories[Int(file.directory)] }

    /// The path that the server takes.
    func serverPath(_ file: File) -> String {
        let name = String(decoding: name(file), as: UTF8.self), directory = directory(of: file).path
        return directory == "." ? name : "\(directory)/\(name)"
    }

    func memberPath(_ file: File) throws(UnderstudyError) -> MemberPath {
        let directory = directory(of: file).member
        return try Self.path(directory.isEmpty ? Array(name(file)) : directory + [UInt8(ascii: "/")] + name(file))
    }

    static func path(_ bytes: [UInt8]) throws(UnderstudyError) -> MemberPath {
        do throws(MemberPath.Flaw) { return try MemberPath(bytes) } catch {
            throw UnderstudyError(
                .protocolViolation, "server lists \"\(MemberPath.escaped(bytes))\": the path \(error.rawValue)")
        }
    }
}
