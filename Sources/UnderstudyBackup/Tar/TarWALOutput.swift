import UnderstudyPlatform

/// What the archive of WAL is written into: headers and small members at the end, and the content of one segment after
/// another, which reads as zeros where nothing was written.
protocol TarWALOutput: AnyObject {
    func append(_ bytes: [UInt8]) throws(FileIOError)
    /// The content of a segment follows.
    func beginContent(_ size: Int) throws(FileIOError)
    /// - Parameter offset: In the segment; never less than where the bytes before ended.
    func write(_ bytes: RawSpan, at offset: Int) throws(FileIOError)
    /// What was written so far is on stable storage, if that was asked for and can be.
    func sync() throws(FileIOError)
    /// All of it is on stable storage, if that was asked for.
    func close() throws(FileIOError)
}

/// A file that is not compressed.
final class PlainTarWAL: TarWALOutput {
    let file: GrowingFile
    private let syncs: Bool
    /// Where the content of the current segment begins.
    private var start: Int64 = 0
    private var needsSync = false

    init(_ file: GrowingFile, syncs: Bool) {
        self.file = file
        self.syncs = syncs
    }

    func append(_ bytes: [UInt8]) throws(FileIOError) {
        // The array outlives the call.
        try unsafe file.append(bytes.span.bytes)
        needsSync = true
    }

    func beginContent(_ size: Int) throws(FileIOError) {
        start = file.count
        try file.extend(to: start + Int64(size))
    }

    func write(_ bytes: RawSpan, at offset: Int) throws(FileIOError) {
        try file.write(bytes, at: start + Int64(offset))
        needsSync = true
    }

    func sync() throws(FileIOError) {
        guard syncs, needsSync else { return }
        try file.sync()
        needsSync = false
    }

    func close() throws(FileIOError) {
        try sync()
        try file.close()
    }
}

/// A compressed file. Nothing of it can be read before it is complete, so only the end is synced.
final class CompressedTarWAL: TarWALOutput {
    private let archive: ArchiveWriter
    /// Of the current segment.
    private var offset = 0
    private var size = 0

    init(_ archive: ArchiveWriter) {
        self.archive = archive
    }

    func append(_ bytes: [UInt8]) throws(FileIOError) {
        try fill(to: size)
        offset = 0
        size = 0
        try archive.append(bytes)
    }

    func beginContent(_ size: Int) {
        self.size = size
    }

    func write(_ bytes: RawSpan, at offset: Int) throws(FileIOError) {
        try fill(to: offset)
        try archive.append(bytes)
        self.offset += bytes.byteCount
    }

    private func fill(to end: Int) throws(FileIOError) {
        try archive.appendZeros(end - offset)
        offset = end
    }

    func sync() {}

    func close() throws(FileIOError) {
        try archive.end()
    }
}
