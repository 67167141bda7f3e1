import UnderstudyBackupFormat
import UnderstudyCore

/// The files and directories of a server, as they were listed: compact, since there may be millions.
package struct FileTable {
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
        var directory: UInt32
        fileprivate var nameStart: UInt32
        fileprivate var nameCount: UInt16
        var size: UInt64
        /// In seconds since 1970-01-01 00:00:00 UTC.
        var modificationTime: Int64
    }

    private(set) var directories: [Directory] = []
    private(set) var files: [File] = []
    private var names: [UInt8] = []

    /// Far more than any server has; some 60 bytes for each.
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
        _ name: [UInt8], in directory: Int, size: UInt64, modificationTime: Int64
    ) throws(UnderstudyError) {
        guard files.count < Self.mostFiles else { throw Self.endless }
        files.append(
            File(
                directory: UInt32(directory), nameStart: UInt32(names.count), nameCount: UInt16(name.count), size: size,
                modificationTime: modificationTime))
        names += name
    }

    static var endless: UnderstudyError {
        UnderstudyError(
            .protocolViolation, "server lists more than \(mostFiles) files or \(mostDirectories) directories")
    }

    func name(_ file: File) -> ArraySlice<UInt8> {
        names[Int(file.nameStart)..<Int(file.nameStart) + Int(file.nameCount)]
    }

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
