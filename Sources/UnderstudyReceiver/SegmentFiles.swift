import UnderstudyFileIO
import UnderstudyWAL

/// The segment file that is being written, and the ones that are finished.
struct SegmentFiles {
    private let directory: ConfinedDirectory
    private let fileMode: UInt16
    private let syncs: Bool
    private var current: OpenSegment?
    /// Whether names were added to the directory that are not on stable storage yet.
    private var hasNewNames = false

    private final class OpenSegment {
        let name: WALSegmentName
        let path: String
        private var descriptor: FileDescriptor?
        private var needsSync = false

        init(name: WALSegmentName, path: String, descriptor: consuming FileDescriptor) {
            self.name = name
            self.path = path
            self.descriptor = consume descriptor
        }

        func write(_ bytes: RawSpan, at offset: Int64) throws(FileIOError) {
            try descriptor!.write(bytes, at: offset, path: path)
            needsSync = true
        }

        func sync() throws(FileIOError) {
            guard needsSync else { return }
            try descriptor!.syncData(path: path)
            needsSync = false
        }

        func close() throws(FileIOError) {
            try descriptor.take()?.close(path: path)
        }
    }

    init(directory: ConfinedDirectory, fileMode: UInt16, syncs: Bool) {
        self.directory = directory
        self.fileMode = fileMode
        self.syncs = syncs
    }

    mutating func write(_ bytes: RawSpan, segment: WALSegmentName, offset: Int) throws(FileIOError) {
        let file: OpenSegment
        if let current, current.name == segment {
            file = current
        } else {
            try close()
            file = try open(segment)
            current = file
        }
        try file.write(bytes, at: Int64(offset))
        if offset + bytes.byteCount == Int(segment.size.bytes) {
            try close()
            try markDone(segment.description)
        }
    }

    /// Puts everything written so far on stable storage, names included.
    mutating func sync() throws(FileIOError) {
        guard syncs else { return }
        try current?.sync()
        if hasNewNames {
            try directory.sync()
            hasNewNames = false
        }
    }

    mutating func putHistory(_ name: String, _ bytes: [UInt8]) throws(FileIOError) {
        let path = directory.fullPath(RelativePath(name))
        let file = try directory.createFile(RelativePath(name), mode: fileMode)
        try unsafe file.write(bytes.span.bytes, at: 0, path: path)
        if syncs { try file.sync(path: path) }
        try file.close(path: path)
        hasNewNames = true
        try markDone(name)
    }

    /// Ends the current segment where it is; the rest of it stays zero.
    mutating func close() throws(FileIOError) {
        guard let closing = current else { return }
        current = nil
        if syncs { try closing.sync() }
        try closing.close()
    }

    private mutating func open(_ segment: WALSegmentName) throws(FileIOError) -> OpenSegment {
        let name = RelativePath(segment.description)
        let path = directory.fullPath(name)
        let descriptor = try directory.createFile(name, mode: fileMode)
        hasNewNames = true
        if try !descriptor.preallocate(segment.size.bytes, path: path) {
            try Self.fillWithZeros(descriptor, segment.size.bytes, path)
        }
        return OpenSegment(name: segment, path: path, descriptor: descriptor)
    }

    private static func fillWithZeros(
        _ descriptor: borrowing FileDescriptor, _ size: UInt64, _ path: String
    ) throws(FileIOError) {
        let zeros = [UInt8](repeating: 0, count: 1 << 16)
        for offset in stride(from: 0, to: Int64(size), by: zeros.count) {
            try unsafe descriptor.write(zeros.span.bytes, at: offset, path: path)
        }
    }

    /// Tells the server that will run here that it need not archive this file.
    private func markDone(_ name: String) throws(FileIOError) {
        _ = try directory.createFile("archive_status/\(name).done", mode: fileMode)
    }
}
