import UnderstudyBackupFormat
import UnderstudyPlatform

/// An archive that grows by pieces of any size, compressed or not, written in whole blocks: a file, or a stream.
final class ArchiveWriter: @unchecked Sendable {
    // Sendable: used by one thread, and by another once the first has ended.
    private enum Place {
        case stream(StreamOutput)
        case file(sync: Bool)
    }

    private let place: Place
    private var file: OutputFile?
    private let block: Block
    private var encoder: ArchiveEncoder?

    private static let blockSize = 1 << 20
    /// From this size on, a stream gets bytes from where they are. Direct writes to files need whole blocks.
    private static let ungatheredSize = 1 << 18

    /// - Parameters:
    ///   - size: About how many bytes will come.
    ///   - sync: Whether it must be on stable storage when it is finished.
    init(
        in directory: ConfinedDirectory, _ name: RelativePath, mode: UInt16, expecting size: UInt64, sync: Bool,
        coding: ArchiveCoding?
    ) throws(FileIOError) {
        let block = try Block(capacity: Self.blockSize)
        encoder = if let coding { try ArchiveEncoder(coding, path: directory.fullPath(name)) } else { nil }
        file = try OutputFile(in: directory, name, mode: mode, size: size, preallocates: false)
        place = .file(sync: sync)
        self.block = block
    }

    init(into stream: StreamOutput, coding: ArchiveCoding?) throws(FileIOError) {
        let block = try Block(capacity: Self.blockSize)
        encoder = if let coding { try ArchiveEncoder(coding, path: stream.path) } else { nil }
        file = nil
        place = .stream(stream)
        self.block = block
    }

    func append(_ bytes: [UInt8]) throws(FileIOError) {
        // The array outlives the call.
        try unsafe append(bytes.span.bytes)
    }

    func append(_ bytes: RawSpan) throws(FileIOError) {
        guard encoder != nil else { return try put(bytes) }
        try encoder!.append(bytes, put)
    }

    /// Bytes that are compressed already.
    func put(_ bytes: RawSpan) throws(FileIOError) {
        if case .stream(let stream) = place, bytes.byteCount >= Self.ungatheredSize {
            try flush()
            return try stream.write(bytes)
        }
        var rest = bytes
        while rest.byteCount > 0 {
            rest = rest.extracting(block.append(rest)...)
            if block.room == 0 { try flush() }
        }
    }

    func appendZeros(_ count: Int) throws(FileIOError) {
        var left = count
        let zeros = [UInt8](repeating: 0, count: min(left, 1 << 16))
        while left > 0 {
            // The array outlives the call.
            try unsafe append(zeros.span.bytes.extracting(..<min(left, zeros.count)))
            left -= min(left, zeros.count)
        }
    }

    private func flush() throws(FileIOError) {
        guard block.count > 0 else { return }
        let block = block
        switch place {
        case .stream(let stream): try stream.write(block.bytes)
        case .file: try file?.write(block.bytes)
        }
        block.clear()
    }

    /// Ends the archive.
    func finish() throws(FileIOError) {
        try append(TarWriter.trailer)
        try end()
    }

    /// Ends an archive that has its trailer: one that came as it is.
    func end() throws(FileIOError) {
        if encoder != nil { try encoder!.finish(put) }
        encoder = nil
        try flush()
        if case .file(let sync) = place { try file.take()?.finish(sync: sync) }
    }
}
