import UnderstudyBackupFormat
import UnderstudyPlatform

/// An archive that grows by pieces of any size, written in whole blocks: into a file, or behind each other into a stream.
struct ArchiveWriter: ~Copyable {
    private enum Place {
        case stream(StreamOutput)
        case file(sync: Bool)
    }

    private let place: Place
    private var file: OutputFile?
    private let block: Block

    private static let blockSize = 1 << 20

    /// A file of its own, which ends with a trailer.
    ///
    /// - Parameters:
    ///   - size: About how many bytes will come.
    ///   - sync: Whether it must be on stable storage when it is finished.
    init(
        in directory: ConfinedDirectory, _ name: RelativePath, mode: UInt16, expecting size: UInt64, sync: Bool
    ) throws(FileIOError) {
        let block = try Block(capacity: Self.blockSize)
        file = try OutputFile(in: directory, name, mode: mode, size: size, preallocates: false)
        place = .file(sync: sync)
        self.block = block
    }

    /// A part of a stream. What follows, and the trailer, are others' work.
    init(into stream: StreamOutput) throws(FileIOError) {
        let block = try Block(capacity: Self.blockSize)
        file = nil
        place = .stream(stream)
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
        switch place {
        case .stream(let stream): try stream.write(block.bytes)
        case .file: try file?.write(block.bytes)
        }
        block.clear()
    }

    consuming func finish() throws(FileIOError) {
        switch place {
        case .stream: try flush()
        case .file(let sync):
            try append(TarWriter.trailer)
            try flush()
            try file.take()?.finish(sync: sync)
        }
    }
}
