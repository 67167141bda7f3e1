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
    private var writer: ArchiveWriter?
    private var archive: Archive?
    private var place: Place?
    private var size: UInt64 = 0

    /// - Parameter open: Begins an archive.
    init(open: @escaping @Sendable (Archive) throws(FileIOError) -> ArchiveWriter) {
        self.open = open
    }

    mutating func open(_ place: Place, size: UInt64) throws(FileIOError) {
        if place.archive != archive {
            try finish()
            writer = try open(place.archive)
            archive = place.archive
        }
        self.place = place
        self.size = size
        if let header = place.header { try writer?.append(header) }
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
        archive = nil
        try writer.take()?.finish()
    }
}
