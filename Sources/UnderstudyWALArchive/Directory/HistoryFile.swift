import Glibc
import UnderstudyCompression
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// A timeline history file of an archive. In a compressed archive it is compressed too, as pg_receivewal does.
struct HistoryFile {
    private let file: ArchivedHistory
    private let level: Compression?
    private let directory: ConfinedDirectory

    init(_ timeline: TimelineID, compression: Compression, in directory: ConfinedDirectory) {
        file = ArchivedHistory(timeline: timeline, compression: compression.method)
        level = compression
        self.directory = directory
    }

    /// A file to read, or to set aside.
    init(_ file: ArchivedHistory, in directory: ConfinedDirectory) {
        self.file = file
        level = nil
        self.directory = directory
    }

    private var name: RelativePath { RelativePath(file.fileName) }

    /// Its uncompressed content; nil if it cannot be read.
    func content() throws(FileIOError) -> [UInt8]? {
        guard let method = file.compression else {
            return try directory.readLinked(name, atMost: TimelineHistory.longestFile)
        }
        return try? CompressedFile(method, name, in: directory).prefix(TimelineHistory.longestFile)
    }

    func setAside(mode: UInt16) throws(FileIOError) -> String {
        try directory.setAside(name, mode: mode)
    }

    /// Stores this content. An existing file with other content is set aside.
    func put(_ content: [UInt8], mode: UInt16, sync: Bool) throws(WALDestinationError) {
        let bytes = try encoded(content)
        let temporary = RelativePath("\(name).tmp"), path = directory.fullPath(temporary)
        let file = try writing { () throws(FileIOError) -> FileDescriptor? in
            if directory.exists(name) {
                if try self.content() == content {
                    // The program that wrote it may have died before it was on stable storage.
                    if sync { try directory.openFile(name, flags: O_RDONLY).sync(path: directory.fullPath(name)) }
                    return nil
                }
                _ = try setAside(mode: mode)
            }
            if directory.exists(temporary) { try directory.remove(temporary) }
            return try directory.createFile(temporary, mode: mode)
        }
        guard let file else {
            return try syncing { () throws(FileIOError) in
                if sync { try directory.sync() }
            }
        }
        try writing { () throws(FileIOError) in try unsafe file.write(bytes.span.bytes, at: 0, path: path) }
        try syncing { () throws(FileIOError) in
            if sync { try file.sync(path: path) }
        }
        try writing { () throws(FileIOError) in try directory.rename(temporary, to: name) }
        try syncing { () throws(FileIOError) in
            if sync { try directory.sync() }
        }
    }

    private func encoded(_ content: [UInt8]) throws(WALDestinationError) -> [UInt8] {
        do throws(CompressionError) { return try level?.compressed(content) ?? content } catch {
            throw WALDestinationError(
                "could not compress file \"\(directory.fullPath(name))\": \(error.message)", cause: error)
        }
    }
}
