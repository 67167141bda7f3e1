import UnderstudyBackupFormat
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// The WAL of a backup in tar format, as pg_basebackup writes it: one archive of files of full size, with zeros after
/// the last byte received, each followed by its `archive_status/NAME.done`.
///
/// The archive starts empty, so there is nothing to resume, and a full disk ends the backup.
final class TarWALDestination: WALDestination, @unchecked Sendable {
    // Sendable: used by the writer's thread, and by the run's after that has ended.
    private let directory: ConfinedDirectory
    private let name: RelativePath
    private let fileMode: UInt16
    private let syncs: Bool
    /// The modification time of members: seconds since 1970-01-01 00:00:00 UTC.
    private let now: Int64
    private var file: FileDescriptor?
    /// Where the next member's header goes.
    private var end: Int64 = 0
    private var current: WALSegment?
    private var needsSync = false
    /// The history files that came, by timeline.
    private(set) var histories: [TimelineID: [UInt8]] = [:]
    private(set) var written: LSN?

    init(in directory: ConfinedDirectory, name: RelativePath, fileMode: UInt16, syncs: Bool, now: Int64) {
        self.directory = directory
        self.name = name
        self.fileMode = fileMode
        self.syncs = syncs
        self.now = now
    }

    private var path: String { directory.fullPath(name) }

    func open(_ origin: WALOrigin) throws(WALDestinationError) -> WALHoldings {
        try finally { () throws(FileIOError) in
            if file == nil {
                file = try directory.createFile(name, mode: fileMode)
                if syncs { try directory.sync() }
            }
        }
        return WALHoldings()
    }

    func begin(_ segment: WALSegment) throws(WALDestinationError) {
        try finally { () throws(FileIOError) in
            if file == nil { file = try directory.createFile(name, mode: fileMode) }
            try beginMember(segment.name, size: UInt64(segment.size))
            // What is not written reads as zeros.
            let whole = UInt64(end) + UInt64(segment.size)
            if try !file!.preallocate(whole, path: path) {
                try file!.fillWithZeros(end..<Int64(whole), path: path)
            }
        }
        current = segment
    }

    func write(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError) {
        guard let current else { return }
        try finally { () throws(FileIOError) in try file!.write(bytes, at: end + Int64(offset), path: path) }
        needsSync = true
        written = LSN(rawValue: current.start.rawValue + UInt64(offset + bytes.byteCount))
    }

    func sync() throws(WALDestinationError) -> LSN? {
        // Without syncs, written WAL counts as flushed.
        guard syncs else { return written }
        if needsSync {
            try finally { () throws(FileIOError) in try file!.sync(path: path) }
            needsSync = false
        }
        return written
    }

    func finish(_ segment: WALSegment) throws(WALDestinationError) {
        try finally { () throws(FileIOError) in
            end += Int64(segment.size)
            try addMember("archive_status/\(segment.name).done", [])
        }
        current = nil
    }

    /// Ends the current segment where it is; the rest of it stays zero.
    func suspend() throws(WALDestinationError) {
        guard let segment = current else { return }
        end += Int64(segment.size)
        current = nil
    }

    func putHistory(_ timeline: TimelineID, _ content: [UInt8]) throws(WALDestinationError) {
        histories[timeline] = content
        try finally { () throws(FileIOError) in
            if file == nil { file = try directory.createFile(name, mode: fileMode) }
            try addMember(timeline.historyFileName, content)
            try addMember("archive_status/\(timeline.historyFileName).done", [])
        }
        _ = try sync()
    }

    func close() {}

    /// Ends the archive. The stream is over.
    func endArchive() throws(FileIOError) {
        if let current { end += Int64(current.size) }
        current = nil
        guard let file = file.take() else { return }
        let trailer = TarWriter.trailer
        try unsafe file.write(trailer.span.bytes, at: end, path: path)
        if syncs { try file.sync(path: path) }
        try file.close(path: path)
    }

    // MARK: - Members

    private func beginMember(_ member: String, size: UInt64) throws(FileIOError) {
        // Both names are WAL's own, and short.
        guard let path = try? MemberPath(member),
            let header = try? TarWriter.header(
                of: TarEntry(path: path, kind: .file, mode: fileMode, size: size, modificationTime: now))
        else { return }
        try unsafe file!.write(header.span.bytes, at: end, path: self.path)
        end += Int64(header.count)
        needsSync = true
    }

    private func addMember(_ member: String, _ content: [UInt8]) throws(FileIOError) {
        try beginMember(member, size: UInt64(content.count))
        let padded = content + [UInt8](repeating: 0, count: TarWriter.padding(after: UInt64(content.count)))
        try unsafe file!.write(padded.span.bytes, at: end, path: path)
        end += Int64(padded.count)
    }

    /// No failure is temporary: waiting resolves none.
    private func finally(_ body: () throws(FileIOError) -> Void) throws(WALDestinationError) {
        do throws(FileIOError) { try body() } catch { throw WALDestinationError(error, isTemporary: false) }
    }
}
