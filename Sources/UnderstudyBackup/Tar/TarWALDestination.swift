import UnderstudyBackupFormat
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// The WAL of a backup in tar format, as pg_basebackup writes it: members of full size, with zeros after the last byte
/// received, each followed by its `archive_status/NAME.done`.
///
/// It starts empty, so there is nothing to resume, and a full disk ends the backup.
final class TarWALDestination: WALDestination, @unchecked Sendable {
    // Sendable: used by the writer's thread, and by the run's after that has ended.
    private let output: any TarWALOutput
    /// Before the name of each member: `pg_wal/`, or nothing.
    private let prefix: String
    private let fileMode: UInt16
    /// The modification time of members: seconds since 1970-01-01 00:00:00 UTC.
    private let now: Int64
    private var current: WALSegment?
    /// The history files that came, by timeline.
    private(set) var histories: [TimelineID: [UInt8]] = [:]
    private(set) var written: LSN?

    init(_ output: any TarWALOutput, prefix: String, fileMode: UInt16, now: Int64) {
        self.output = output
        self.prefix = prefix
        self.fileMode = fileMode
        self.now = now
    }

    func open(_ origin: WALOrigin) -> WALHoldings { WALHoldings() }

    func begin(_ segment: WALSegment) throws(WALDestinationError) {
        try finally { () throws(FileIOError) in
            try beginMember(segment.name, size: UInt64(segment.size))
            try output.beginContent(segment.size)
        }
        current = segment
    }

    func write(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError) {
        guard let current else { return }
        try finally { () throws(FileIOError) in try output.write(bytes, at: offset) }
        written = LSN(rawValue: current.start.rawValue + UInt64(offset + bytes.byteCount))
    }

    func sync() throws(WALDestinationError) -> LSN? {
        try finally { () throws(FileIOError) in try output.sync() }
        return written
    }

    func finish(_ segment: WALSegment) throws(WALDestinationError) {
        current = nil
        try finally { () throws(FileIOError) in try markDone(segment.name) }
    }

    /// Ends the current segment where it is; the rest of it stays zero.
    func suspend() {
        current = nil
    }

    func putHistory(_ timeline: TimelineID, _ content: [UInt8]) throws(WALDestinationError) {
        histories[timeline] = content
        try finally { () throws(FileIOError) in
            try addMember(timeline.historyFileName, content)
            try markDone(timeline.historyFileName)
        }
        _ = try sync()
    }

    /// Adds the end of an archive. The stream is over.
    func endArchive() throws(FileIOError) {
        try output.append(TarWriter.trailer)
        try output.close()
    }

    // MARK: - Members

    private func beginMember(_ name: String, size: UInt64) throws(FileIOError) {
        // WAL's names are short, and have no dots.
        guard let path = try? MemberPath(prefix + name),
            let header = try? TarWriter.header(
                of: TarEntry(path: path, kind: .file, mode: fileMode, size: size, modificationTime: now))
        else { return }
        try output.append(header)
    }

    private func addMember(_ name: String, _ content: [UInt8]) throws(FileIOError) {
        try beginMember(name, size: UInt64(content.count))
        try output.append(content + [UInt8](repeating: 0, count: TarWriter.padding(after: UInt64(content.count))))
    }

    /// Marks a file as archived, so that a server started here does not archive it.
    private func markDone(_ name: String) throws(FileIOError) {
        try addMember("archive_status/\(name).done", [])
    }

    /// No failure is temporary: waiting resolves none.
    private func finally(_ body: () throws(FileIOError) -> Void) throws(WALDestinationError) {
        do throws(FileIOError) { try body() } catch { throw WALDestinationError(error, isTemporary: false) }
    }
}
