import Glibc
import UnderstudyCompression
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// The files of an archive at one moment, and what some of them tell about all.
struct ArchiveSnapshot {
    /// The directory, and what could not be read in it so far.
    let reader: InspectedFiles
    /// But for those that an archiver is about to write.
    let files: [ArchivedFile]
    let brokenLinks: [ArchiveInventory.BrokenLink]
    /// nil if there are no segments that are read here.
    let segmentSize: WALSegmentSize?
    /// The first page of a segment, as most of the newest have it; nil if none was ever written.
    let origin: WALPageHeader?
    let interrupt: Interrupt?

    init(_ path: String, _ interrupt: Interrupt? = nil) throws(UnderstudyError) {
        reader = try Self.open(path)
        self.interrupt = interrupt
        do throws(FileIOError) {
            let entries = try reader.directory.archiveEntries()
            (files, brokenLinks) = (entries.files, entries.brokenLinks)
        } catch { throw UnderstudyError(error) }
        (segmentSize, origin) = try SegmentOrigin(reader, files.map(\.name)).find()
    }

    var directory: ConfinedDirectory { reader.directory }

    static func open(_ path: String) throws(UnderstudyError) -> InspectedFiles {
        do throws(FileIOError) { return try InspectedFiles(path) } catch {
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
        guard let size = segmentSize ?? size(of: backups) else {
            var empty = ArchiveInventory()
            empty.files = files
            empty.opaque = files.compactMap { OpaqueFile($0) }.filter { !$0.isCompanion }
            empty.brokenLinks = brokenLinks
            empty.setAside = try setAside()
            empty.unreadable = unreadable
            return empty
        }
        try checkCluster(of: backups)
        var found = ArchiveInventory.Findings(
            files: files, segmentSize: size, systemIdentifier: origin?.systemIdentifier)
        found.histories = histories
        found.setAside = try setAside()
        found.brokenLinks = brokenLinks
        do throws(WALDestinationError) {
            for name in files.map(\.name) {
                found.noted[name] = try reader.reading(name) { () throws(WALDestinationError) in
                    try GapNote.all([name], in: directory)[name]
                }
            }
            var contents = InspectionReader(files: reader)
            var inventory = try ArchiveInventory(found, backups: try ended(backups, size), reading: &contents)
            inventory.unreadable = unreadable
            return inventory
        } catch { throw UnderstudyError(error) }
    }

    /// Where no segment is in a form that is read here.
    private func size(of backups: [BackupWALRange]) -> WALSegmentSize? {
        guard files.contains(where: { OpaqueFile($0)?.kind == .segment }) else { return nil }
        let sizes = Set(backups.compactMap(\.segmentSize))
        return sizes.count == 1 ? sizes.first : nil
    }

    /// What could not be read so far.
    private var unreadable: [ArchiveInventory.Unreadable] {
        reader.failures.map { .init(name: $0.key, reason: $0.value.reasonOfFile) }.sorted { $0.name < $1.name }
    }

    func pruning(_ rules: ArchivePruning.Rules) throws(UnderstudyError) -> ArchivePruning {
        let inventory = try inventory(backups: rules.backups)
        // What it holds may decide about what can go.
        if let failure = reader.failures.min(by: { $0.key < $1.key })?.value { throw UnderstudyError(failure) }
        var rules = rules
        // With the ends that were found for them.
        if inventory.segmentSize != nil { rules.backups = inventory.restorable.map(\.backup) }
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
            do throws(WALDestinationError) {
                content = try reader.reading(file.fileName) { () throws(WALDestinationError) in
                    try directory.content(of: file.fileName)
                }
            } catch { throw UnderstudyError(error) }
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
        let directory = try open(path).directory, bytes: [UInt8]
        do throws(WALDestinationError) { bytes = try directory.content(of: name) } catch {
            throw UnderstudyError(error)
        }
        do throws(BackupLabel.Flaw) {
            let label = try BackupLabel(parsing: bytes)
            return BackupWALRange(
                name: name, start: label.start, end: label.end, label: label.label, segmentSize: label.segmentSize)
        } catch {
            throw UnderstudyError(
                .target, "\"\(directory.fullPath(RelativePath(name)))\" is no backup history file", detail: error.detail
            )
        }
    }

    private func setAside() throws(UnderstudyError) -> [ArchivedFile] {
        let name = RelativePath(ConfinedDirectory.asideName)
        guard directory.exists(name) else { return [] }
        do throws(WALDestinationError) {
            return try reader.reading("\(name)") { () throws(WALDestinationError) in
                try writing { () throws(FileIOError) in try directory.openDirectory(name).archiveEntries().files }
            } ?? []
        } catch { throw UnderstudyError(error) }
    }
}

extension ConfinedDirectory {
    /// A small file, decompressed as its name says and as far as that goes.
    func content(of name: String) throws(WALDestinationError) -> [UInt8] {
        let method = Compression.Method.allCases.first { name.hasSuffix($0.fileSuffix) }
        return try StoredFile(RelativePath(name), method, in: self).prefix(TimelineHistory.longestFile)
    }
}
