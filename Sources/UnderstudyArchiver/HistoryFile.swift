import UnderstudyFileIO
import UnderstudyWAL

/// A timeline history file of an archive. In a compressed archive it is compressed too, as the stock tool leaves it.
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

    /// The file of a timeline, however it is compressed; nil if there is none.
    static func find(_ timeline: TimelineID, in directory: ConfinedDirectory) -> HistoryFile? {
        ArchivedSegment.Compression.allCases.lazy
            .map { HistoryFile(timeline, $0, nil, directory) }.first { directory.exists($0.name) }
    }

    private var name: RelativePath { RelativePath(timeline.historyFileName + compression.rawValue) }

    /// What it holds; nil if that cannot be read.
    func content() throws(FileIOError) -> [UInt8]? {
        if compression == .none { return try directory.read(name, atMost: Self.longest) }
        return try? CompressedFile(compression, name, in: directory).prefix(Self.longest)
    }

    /// A history has a line of at most some hundred bytes for each timeline.
    private static let longest = 1 << 20

    func setAside(mode: UInt16) throws(FileIOError) -> String {
        try directory.setAside(name, mode: mode)
    }

    /// Keeps this content. One that is there and differs is set aside.
    func put(_ content: [UInt8], mode: UInt16, sync: Bool) throws(FileIOError) {
        if directory.exists(name) {
            if try self.content() == content { return }
            _ = try setAside(mode: mode)
        }
        let temporary = RelativePath("\(name).tmp")
        if directory.exists(temporary) { try directory.remove(temporary) }
        let path = directory.fullPath(temporary)
        let file = try directory.createFile(temporary, mode: mode)
        let bytes = (try? level?.compressed(content)) ?? content
        try unsafe file.write(bytes.span.bytes, at: 0, path: path)
        if sync { try file.sync(path: path) }
        try file.close(path: path)
        try directory.rename(temporary, to: name)
        if sync { try directory.sync() }
    }
}
