import Glibc
import UnderstudyCompression
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// The files of an archive at one moment, and what some of them tell about all.
struct ArchiveSnapshot {
    let directory: ConfinedDirectory
    /// But for those that an archiver is about to write.
    let files: [ArchivedFile]
    /// nil if there are no segments.
    let segmentSize: WALSegmentSize?
    /// The first page of a segment, as most of the newest have it; nil if none was ever written.
    let origin: WALPageHeader?
    let interrupt: Interrupt?

    init(_ path: String, _ interrupt: Interrupt? = nil) throws(UnderstudyError) {
        directory = try Self.open(path)
        self.interrupt = interrupt
        do throws(FileIOError) { files = try directory.archivedFiles() } catch { throw UnderstudyError(error) }
        (segmentSize, origin) = try SegmentOrigin(directory, files.map(\.name)).find()
    }

    static func open(_ path: String) throws(UnderstudyError) -> ConfinedDirectory {
        do throws(FileIOError) { return try ConfinedDirectory(path: path) } catch {
            throw UnderstudyError(error, else: .target)
        }
    }

    // MARK: - What is made of it

    func inventory(backups: [BackupWALRange]) throws(UnderstudyError) -> ArchiveInventory {
        try inventory(backups: backups, histories: readHistories().map(\.history))
    }

    func inventory(
        backups: [BackupWALRange], histories: [TimelineHistory]
    ) throws(UnderstudyError) -> ArchiveInventory {
        guard let segmentSize else {
            var empty = ArchiveInventory()
            empty.files = files
            empty.setAside = try setAside()
            return empty
        }
        try checkCluster(of: backups)
        var found = ArchiveInventory.Findings(
            files: files, segmentSize: segmentSize, systemIdentifier: origin?.systemIdentifier)
        found.histories = histories
        found.setAside = try setAside()
        do throws(WALDestinationError) {
            found.noted = try GapNote.all(files.map(\.name), in: directory)
            var reader = InspectionReader(directory: directory)
            return try ArchiveInventory(found, backups: try ended(backups, segmentSize), reading: &reader)
        } catch { throw UnderstudyError(error) }
    }

    func pruning(_ rules: ArchivePruning.Rules) throws(UnderstudyError) -> ArchivePruning {
        let inventory = try inventory(backups: rules.backups)
        var rules = rules
        // With the ends that were found for them.
        if segmentSize != nil { rules.backups = inventory.restorable.map(\.backup) }
        var time = timespec()
        // clock_gettime fills the struct.
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        do throws(ArchivePruningError) {
            return try ArchivePruning(inventory, rules, now: Int64(time.tv_sec))
        } catch {
            throw UnderstudyError(.options, error.message, detail: error.detail, hint: error.hint, cause: error)
        }
    }

    // MARK: - Histories

    /// A history file, and what it says.
    struct ReadHistory {
        var file: ArchivedHistory
        var history: TimelineHistory
    }

    /// Those of the history files that can be read.
    func readHistories() throws(UnderstudyError) -> [ReadHistory] {
        var read: [ReadHistory] = []
        for file in files.compactMap({ ArchivedHistory(fileName: $0.name) }) {
            let content: [UInt8]?
            do throws(FileIOError) { content = try HistoryFile(file, in: directory).content() } catch {
                // An archiver may have set it aside meanwhile.
                if error.number == ENOENT { continue }
                throw UnderstudyError(error)
            }
            if let content, let history = try? TimelineHistory(parsing: content, of: file.timeline) {
                read.append(ReadHistory(file: file, history: history))
            }
        }
        return read
    }

    // MARK: - Backups

    /// The same, with the ends that the archive's backup history files tell where the backups do not.
    private func ended(
        _ backups: [BackupWALRange], _ size: WALSegmentSize
    ) throws(WALDestinationError) -> [BackupWALRange] {
        let names = files.compactMap { BackupHistoryName($0.name, size: size) }
        var result = backups
        for index in result.indices where result[index].end == nil {
            guard let name = names.first(where: { $0.start == result[index].start }),
                let label = try? BackupLabel(parsing: try directory.content(of: name.fileName))
            else { continue }
            // Two backups may begin at the same position, but they do not have one name.
            if label.start == result[index].start, label.label == result[index].label || result[index].label == nil {
                result[index].end = label.end
            }
        }
        return result
    }

    private func checkCluster(of backups: [BackupWALRange]) throws(UnderstudyError) {
        guard let own = origin?.systemIdentifier else { return }
        for backup in backups {
            guard let other = backup.systemIdentifier, other != own else { continue }
            throw UnderstudyError(
                .options, "backup \"\(backup.name)\" is of another database cluster than archive \"\(directory.path)\"",
                detail: "Its system identifier is \(other), the archive's \(own).",
                hint: "Name the backups and the archive of one cluster.")
        }
    }

    /// What a backup history file of the archive says.
    static func backup(historyFile name: String, in path: String) throws(UnderstudyError) -> BackupWALRange {
        let directory = try open(path), bytes: [UInt8]
        do throws(WALDestinationError) { bytes = try directory.content(of: name) } catch {
            throw UnderstudyError(error)
        }
        do throws(BackupLabel.Flaw) {
            let label = try BackupLabel(parsing: bytes)
            return BackupWALRange(name: name, start: label.start, end: label.end, label: label.label)
        } catch {
            throw UnderstudyError(
                .target, "\"\(directory.fullPath(RelativePath(name)))\" is no backup history file", detail: error.detail
            )
        }
    }

    private func setAside() throws(UnderstudyError) -> [ArchivedFile] {
        let name = RelativePath(ConfinedDirectory.asideName)
        guard directory.exists(name) else { return [] }
        do throws(FileIOError) { return try directory.openDirectory(name).archivedFiles() } catch {
            throw UnderstudyError(error)
        }
    }
}

extension ConfinedDirectory {
    /// The regular files, without those that an archiver is about to write, by name.
    func archivedFiles() throws(FileIOError) -> [ArchivedFile] {
        var names = try archivedNames()
        // A file that is renamed meanwhile may be passed over, which would look like a gap.
        for _ in 1..<Self.mostLooks {
            let again = try archivedNames()
            if again == names { break }
            names = again
        }
        var files: [ArchivedFile] = []
        for name in names.sorted() {
            if let file = try archivedFile(name) { files.append(file) }
        }
        return files
    }

    private static let mostLooks = 10

    private func archivedNames() throws(FileIOError) -> Set<String> {
        var names: Set<String> = []
        try forEachEntry { entry throws(FileIOError) in
            let name = "\(entry.name)"
            if entry.kind == .file, !name.hasPrefix(".understudy"), !name.hasSuffix(".tmp") { names.insert(name) }
            return true
        }
        return names
    }

    /// nil if it is gone.
    func archivedFile(_ name: String) throws(FileIOError) -> ArchivedFile? {
        do throws(FileIOError) {
            let info = try status(of: RelativePath(name))
            return ArchivedFile(name: name, bytes: UInt64(info.st_size), modified: Int64(info.st_mtim.tv_sec))
        } catch  where error.number == ENOENT {
            return nil
        }
    }

    /// A small file, decompressed as its name says and as far as that goes.
    func content(of name: String) throws(WALDestinationError) -> [UInt8] {
        let limit = TimelineHistory.longestFile
        if let method = Compression.Method.allCases.first(where: { name.hasSuffix($0.fileSuffix) }) {
            return try CompressedFile(method, RelativePath(name), in: self).prefix(limit)
        }
        return try writing { () throws(FileIOError) in try read(RelativePath(name), atMost: limit) }
    }
}
