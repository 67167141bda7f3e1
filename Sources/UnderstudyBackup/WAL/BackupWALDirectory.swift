package import UnderstudyPlatform
package import UnderstudyStreaming
package import UnderstudyWAL

/// The WAL directory of a base backup, as pg_basebackup leaves it: files of full size under their final names, zeros
/// after the last byte received, and `archive_status/NAME.done` for finished ones.
///
/// The directory starts empty, so there is nothing to resume, and a full disk ends the backup.
package final class BackupWALDirectory: WALDestination, @unchecked Sendable {
    // Sendable: used only by the writer's thread.
    private let directory: ConfinedDirectory
    private let fileMode: UInt16
    private let syncs: Bool
    private var current: OpenSegment?
    /// Whether names were added to the directory that are not yet on stable storage.
    private var hasNewNames = false
    package private(set) var written: LSN?

    private final class OpenSegment {
        let segment: WALSegment
        let path: String
        private var descriptor: FileDescriptor?
        private var needsSync = false

        init(segment: WALSegment, path: String, descriptor: consuming FileDescriptor) {
            self.segment = segment
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

    /// - Parameters:
    ///   - directory: pg_wal, with `archive_status` in it.
    ///   - syncs: Whether files and names are synced; if not, written WAL counts as flushed.
    package init(directory: ConfinedDirectory, fileMode: UInt16, syncs: Bool) {
        self.directory = directory
        self.fileMode = fileMode
        self.syncs = syncs
    }

    package func open(_ origin: WALOrigin) -> WALHoldings { WALHoldings() }

    package func begin(_ segment: WALSegment) throws(WALDestinationError) {
        try finally { () throws(FileIOError) in
            try closeCurrent()
            let name = RelativePath(segment.name)
            let path = directory.fullPath(name)
            let descriptor = try directory.createFile(name, mode: fileMode)
            hasNewNames = true
            if try !descriptor.preallocate(UInt64(segment.size), path: path) {
                try descriptor.fillWithZeros(0..<Int64(segment.size), path: path)
            }
            current = OpenSegment(segment: segment, path: path, descriptor: descriptor)
        }
    }

    package func write(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError) {
        guard let current else { return }
        do throws(FileIOError) { try current.write(bytes, at: Int64(offset)) } catch {
            throw WALDestinationError(error, isTemporary: false)
        }
        written = LSN(rawValue: current.segment.start.rawValue + UInt64(offset + bytes.byteCount))
    }

    package func sync() throws(WALDestinationError) -> LSN? {
        // Without syncs, written WAL counts as flushed.
        guard syncs else { return written }
        try finally { () throws(FileIOError) in
            try current?.sync()
            if hasNewNames {
                try directory.sync()
                hasNewNames = false
            }
        }
        return written
    }

    package func finish(_ segment: WALSegment) throws(WALDestinationError) {
        try finally { () throws(FileIOError) in
            try closeCurrent()
            try markDone(segment.name)
        }
    }

    /// Closes the current segment where it is; the rest of it stays zero.
    package func suspend() throws(WALDestinationError) {
        try finally { () throws(FileIOError) in try closeCurrent() }
    }

    package func putHistory(_ timeline: TimelineID, _ content: [UInt8]) throws(WALDestinationError) {
        try finally { () throws(FileIOError) in
            let name = timeline.historyFileName
            let path = directory.fullPath(RelativePath(name))
            let file = try directory.createFile(RelativePath(name), mode: fileMode)
            try unsafe file.write(content.span.bytes, at: 0, path: path)
            if syncs { try file.sync(path: path) }
            try file.close(path: path)
            hasNewNames = true
            try markDone(name)
        }
    }

    private func closeCurrent() throws(FileIOError) {
        guard let closing = current else { return }
        current = nil
        if syncs { try closing.sync() }
        try closing.close()
    }

    /// Marks a file as archived, so that a server started here does not archive it.
    private func markDone(_ name: String) throws(FileIOError) {
        _ = try directory.createFile("archive_status/\(name).done", mode: fileMode)
    }

    /// No failure is temporary: waiting resolves none.
    private func finally(_ body: () throws(FileIOError) -> Void) throws(WALDestinationError) {
        do throws(FileIOError) { try body() } catch { throw WALDestinationError(error, isTemporary: false) }
    }
}
