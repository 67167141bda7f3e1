import Glibc
import UnderstudyCompression
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// A timeline history file of an archive. In a compressed archive it is compressed too, as pg_receivewal does.
struct HistoryFile {
    let timeline: TimelineID
    private let compression: ArchivedSegment.Compression
    private let level: WALCompression?
    private let directory: ConfinedDirectory

    init(_ timeline: TimelineID, compression: WALCompression, in directory: ConfinedDirectory) {
        self.init(timeline, compression.kind, compression, directory)
    }

    private init(
        _ timeline: TimelineID, _ compression: ArchivedSegment.Compression, _ level: WALCompression?,
        _ directory: ConfinedDirectory
    ) {
        self.timeline = timeline
        self.compression = compression
        self.level = level
        self.directory = directory
    }

    /// Finds the file of a timeline, whatever its compression; nil if there is none.
    static func find(_ timeline: TimelineID, in directory: ConfinedDirectory) -> HistoryFile? {
        ArchivedSegment.Compression.allCases.lazy
            .map { HistoryFile(timeline, $0, nil, directory) }.first { directory.exists($0.name) }
    }

    private var name: RelativePath { RelativePath(timeline.historyFileName + compression.rawValue) }

    /// Its uncompressed content; nil if it cannot be read.
    func content() throws(FileIOError) -> [UInt8]? {
        if compression == .none { return try directory.read(name, atMost: TimelineHistory.longestFile) }
        return try? CompressedFile(compression, name, in: directory).prefix(TimelineHistory.longestFile)
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
