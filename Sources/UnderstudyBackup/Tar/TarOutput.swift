import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform

/// Writes members into archives, one archive after another.
struct TarOutput: MemberOutput, ~Copyable {
    /// An archive, and its name until the backup is complete.
    struct Archive: Sendable, Hashable {
        var name: RelativePath
        /// The server's estimate of its size, in bytes.
        var size: UInt64
        /// Whether its bytes are kept as they come, compressed. Members are then only looked at.
        var isKept: Bool
    }

    /// A member as it is written, which may differ from what the server sent.
    struct Place: Sendable {
        var archive: Archive
        /// 512 bytes; nil if the member is left out.
        var header: [UInt8]?
        /// Follows the content that the server sent.
        var appended: [UInt8] = []
    }

    private let open: @Sendable (Archive) throws(FileIOError) -> ArchiveWriter
    private let endsArchives: Bool
    private var writer: ArchiveWriter?
    private var archive: Archive?
    private var place: Place?
    private var size: UInt64 = 0

    /// - Parameters:
    ///   - endsArchives: Whether an archive ends with its last member.
    ///   - open: Begins an archive.
    init(endsArchives: Bool, open: @escaping @Sendable (Archive) throws(FileIOError) -> ArchiveWriter) {
        self.endsArchives = endsArchives
        self.open = open
    }

    mutating func open(_ place: Place, size: UInt64, piece: FilePiece?) throws(FileIOError) {
        try begin(place.archive)
        self.place = place
        self.size = size
        if let header = place.header { try writer?.append(header) }
    }

    mutating func keep(_ bytes: RawSpan, in place: Place) throws(FileIOError) {
        try begin(place.archive)
        try writer?.put(bytes)
    }

    private mutating func begin(_ archive: Archive) throws(FileIOError) {
        guard archive != self.archive else { return }
        try finish()
        writer = try open(archive)
        self.archive = archive
    }

    mutating func write(_ bytes: RawSpan) throws(FileIOError) {
        if place?.header != nil { try writer?.append(bytes) }
    }

    mutating func close() throws(FileIOError) {
        guard let place = place.take(), place.header != nil else { return }
        try writer?.append(place.appended)
        let padding = TarWriter.padding(after: size + UInt64(place.appended.count))
        try writer?.append([UInt8](repeating: 0, count: padding))
    }

    mutating func finish() throws(FileIOError) {
        let isKept = archive.take()?.isKept == true
        guard let writer = writer.take(), endsArchives else { return }
        if isKept { try writer.end() } else { try writer.finish() }
    }
}
