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

    private let directory: ConfinedDirectory
    private let mode: UInt16
    private let sync: Bool
    private var file: TarFile?
    private var archive: Archive?
    private var place: Place?
    private var size: UInt64 = 0

    init(directory: ConfinedDirectory, mode: UInt16, sync: Bool) {
        self.directory = directory
        self.mode = mode
        self.sync = sync
    }

    mutating func open(_ place: Place, size: UInt64) throws(FileIOError) {
        if place.archive != archive {
            try finish()
            file = try TarFile(in: directory, place.archive.name, mode: mode, expecting: place.archive.size)
            archive = place.archive
        }
        self.place = place
        self.size = size
        if let header = place.header { try file?.append(header) }
    }

    mutating func write(_ bytes: RawSpan) throws(FileIOError) {
        if place?.header != nil { try file?.append(bytes) }
    }

    mutating func close() throws(FileIOError) {
        guard let place = place.take(), place.header != nil else { return }
        try file?.append(place.appended)
        let padding = TarWriter.padding(after: size + UInt64(place.appended.count))
        try file?.append([UInt8](repeating: 0, count: padding))
    }

    mutating func finish() throws(FileIOError) {
        archive = nil
        guard let file = file.take() else { return }
        try file.finish(sync: sync)
    }
}

/// A file that grows by pieces of any size, written in whole blocks.
private struct TarFile: ~Copyable {
    private var file: OutputFile
    private let block: Block

    private static let blockSize = 1 << 20

    init(
        in directory: ConfinedDirectory, _ name: RelativePath, mode: UInt16, expecting size: UInt64
    ) throws(FileIOError) {
        let block = try Block(capacity: Self.blockSize)
        file = try OutputFile(in: directory, name, mode: mode, size: size, preallocates: false)
        self.block = block
    }

    mutating func append(_ bytes: [UInt8]) throws(FileIOError) {
        // The array outlives the call.
        try unsafe append(bytes.span.bytes)
    }

    mutating func append(_ bytes: RawSpan) throws(FileIOError) {
        var rest = bytes
        while rest.byteCount > 0 {
            rest = rest.extracting(block.append(rest)...)
            if block.room == 0 { try flush() }
        }
    }

    private mutating func flush() throws(FileIOError) {
        // The block stays; only the file changes.
        let block = block
        try file.write(block.bytes)
        block.clear()
    }

    /// Ends the archive, and closes the file.
    ///
    /// - Parameter sync: Whether it must be on stable storage when this returns.
    consuming func finish(sync: Bool) throws(FileIOError) {
        try append(TarWriter.trailer)
        try flush()
        try file.finish(sync: sync)
    }
}
