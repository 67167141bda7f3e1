import Glibc
import UnderstudyBackupFormat
import UnderstudyCompression
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Finds out what WAL base backups need, from the files in them that say so: backup_label and the backup manifest, also of
/// backups in tar format, and pg_control where there is neither, as in a copy of a server's files at one moment.
struct BackupReader {
    private let path: String

    private static let label = "backup_label", manifest = "backup_manifest", control = "global/pg_control"
    /// What a label may have at most: a few lines, of which the user wrote one.
    private static let longestLabel = 1 << 16

    /// - Parameter path: Of a backup, or of a directory with backups in it.
    init(_ path: String) {
        self.path = path
    }

    /// Oldest first, at least one.
    func ranges() throws(UnderstudyError) -> [BackupWALRange] {
        let directory = try open(path)
        if let range = try range(directory) { return [range] }
        var ranges: [BackupWALRange] = [], others: [String] = []
        var entries: [ConfinedDirectory.Entry] = []
        do throws(FileIOError) { entries = try directory.entries() } catch { throw UnderstudyError(error) }
        for entry in entries {
            // A link may lead to a backup.
            let isDirectory = entry.kind == .directory || entry.kind == .symbolicLink
            let place = isDirectory ? try? open("\(path)/\(entry.name)") : nil
            if let place, let range = try range(place) {
                ranges.append(range)
            } else if (try? place?.isEmpty()) != true {
                others.append("\(entry.name)")
            }
        }
        // One of them may be a backup in a form that is not known, whose WAL nobody would keep.
        if !ranges.isEmpty, !others.isEmpty {
            throw UnderstudyError(
                .target, "not everything in \"\(path)\" is a base backup",
                detail:
                    "These have no file backup_label, backup_manifest, base.tar or global/pg_control: \(TruncatedList(others.sorted()).list).",
                hint: "Name each base backup by itself, or move what is none elsewhere.")
        }
        guard !ranges.isEmpty else {
            throw UnderstudyError(
                .target, "there is no base backup in \"\(path)\"",
                detail:
                    "Neither it nor a directory in it has a file backup_label, backup_manifest, base.tar (also compressed) or global/pg_control.",
                hint: "Name a base backup, or the directory that base backups are in.")
        }
        return ranges.sorted { ($0.start.lsn, $0.name) < ($1.start.lsn, $1.name) }
    }

    private func open(_ path: String) throws(UnderstudyError) -> ConfinedDirectory {
        do throws(FileIOError) { return try ConfinedDirectory(path: path) } catch {
            throw UnderstudyError(error, else: .target)
        }
    }

    // MARK: - One backup

    /// nil if the directory is no backup.
    private func range(_ directory: ConfinedDirectory) throws(UnderstudyError) -> BackupWALRange? {
        let manifest = try manifest(directory)
        // A manifest beside archives tells all; they need not be opened.
        let label = try label(directory, inArchive: manifest == nil)
        let control = try control(directory)
        let own = control.map { String($0.file.systemIdentifier) }
        guard let start = label?.start ?? manifest?.start ?? control?.checkpoint else { return nil }
        if let label, let manifest, label.start != manifest.start {
            throw unclear(
                directory,
                "backup_label has it begin at \(label.start.lsn) (timeline \(label.start.timeline)), backup_manifest at \(manifest.start.lsn) (timeline \(manifest.start.timeline))."
            )
        }
        return BackupWALRange(
            name: directory.path, start: start, end: manifest?.end, label: label?.label,
            systemIdentifier: manifest?.systemIdentifier.map { String($0) } ?? own,
            segmentSize: control?.file.walSegmentSize ?? label?.segmentSize)
    }

    private func unclear(_ directory: ConfinedDirectory, _ detail: String) -> UnderstudyError {
        UnderstudyError(
            .target, "it is unclear what WAL backup \"\(directory.path)\" needs", detail: detail,
            hint: "Check the backup with pg_verifybackup, or leave it out.")
    }

    private func bytes(
        _ directory: ConfinedDirectory, _ name: String, atMost limit: Int
    ) throws(UnderstudyError) -> [UInt8]? {
        guard directory.exists(RelativePath(name)) else { return nil }
        do throws(FileIOError) { return try directory.readLinked(RelativePath(name), atMost: limit) } catch {
            throw UnderstudyError(error)
        }
    }

    private func label(
        _ directory: ConfinedDirectory, inArchive: Bool
    ) throws(UnderstudyError) -> BackupLabel? {
        var found = try bytes(directory, Self.label, atMost: Self.longestLabel)
        if found == nil, inArchive { found = try labelInArchive(directory) }
        guard let bytes = found else { return nil }
        do throws(BackupLabel.Flaw) { return try BackupLabel(parsing: bytes) } catch {
            throw unclear(directory, "Its backup_label cannot be read. \(error.detail)")
        }
    }

    private func control(
        _ directory: ConfinedDirectory
    ) throws(UnderstudyError) -> (file: ControlFile, checkpoint: WALPosition)? {
        guard let bytes = try bytes(directory, Self.control, atMost: 8192) else { return nil }
        do throws(ControlFileError) {
            return (try ControlFile(parsing: bytes), try ControlFile.checkpoint(parsing: bytes))
        } catch {
            throw unclear(directory, "Its file global/pg_control cannot be read: \(error).")
        }
    }

    // MARK: - The manifest

    /// What a manifest says of WAL, when all of it was read and its checksum is right.
    private struct ManifestWAL {
        var start: WALPosition
        var end: WALPosition
        var systemIdentifier: UInt64?
    }

    private struct RangeSink: ManifestSink {
        typealias Failure = BackupFormatError
        var ranges: [ManifestWALRange] = []

        mutating func file(_ file: ManifestFile) {}
        mutating func walRange(_ range: ManifestWALRange) { ranges.append(range) }
    }

    private func manifest(_ directory: ConfinedDirectory) throws(UnderstudyError) -> ManifestWAL? {
        let name = RelativePath(Self.manifest)
        guard directory.exists(name) else { return nil }
        var sink = RangeSink()
        let identifier: UInt64?
        var unreadable: FileIOError?
        do throws(BackupFormatError) {
            var reader = try ManifestReader(), failure: BackupFormatError?
            do throws(FileIOError) {
                try pieces(name, in: directory) { piece in
                    do throws(BackupFormatError) { try reader.consume(piece, into: &sink) } catch { failure = error }
                    return failure == nil
                }
            } catch { unreadable = error }
            if let failure { throw failure }
            try reader.finish()
            identifier = reader.systemIdentifier
        } catch {
            if let unreadable { throw UnderstudyError(unreadable) }
            throw unclear(directory, "Its backup_manifest cannot be read: \(error.message). \(error.detail ?? "")")
        }
        let ranges = sink.ranges.compactMap(\.positions)
        guard ranges.count == sink.ranges.count, let first = ranges.min(by: { $0.start.lsn < $1.start.lsn }),
            let last = ranges.max(by: { $0.end.lsn < $1.end.lsn })
        else { throw unclear(directory, "Its backup_manifest names no range of WAL.") }
        return ManifestWAL(start: first.start, end: last.end, systemIdentifier: identifier)
    }

    /// Reads a file piece by piece, until `take` returns false.
    private func pieces(
        _ name: RelativePath, in directory: ConfinedDirectory, _ take: (RawSpan) -> Bool
    ) throws(FileIOError) {
        let step = 1 << 18
        var offset: Int64 = 0
        while true {
            let bytes = try directory.readLinked(name, from: offset, atMost: step)
            // The bytes are borrowed for the call.
            guard take(unsafe bytes.span.bytes), bytes.count == step else { return }
            offset += Int64(step)
        }
    }

    // MARK: - In tar format

    /// Where the first member of a server's archive is backup_label, tools may put a few small ones before it.
    private static let mostSearched = 64 << 20

    /// The content of backup_label in base.tar; nil if there is no such archive.
    private func labelInArchive(_ directory: ConfinedDirectory) throws(UnderstudyError) -> [UInt8]? {
        let methods: [Compression.Method?] = [nil] + Compression.Method.allCases
        let found = methods.lazy.map { ($0, RelativePath("base.tar\($0.fileSuffix)")) }.first { directory.exists($0.1) }
        guard let (method, name) = found else { return nil }
        var reader = TarReader(), sink = LabelSink(), searched = 0
        var failure: BackupFormatError?
        let take = { (piece: RawSpan) -> Bool in
            do throws(BackupFormatError) { try reader.consume(piece, into: &sink) } catch { failure = error }
            searched += piece.byteCount
            return failure == nil && !sink.isDone && searched < Self.mostSearched
        }
        var damage: String?
        do throws(WALDestinationError) {
            if let method {
                let ending = try CompressedFile(method, name, in: directory).decode(take)
                if case .damaged(_, let error) = ending { damage = error.message }
            } else {
                try writing { () throws(FileIOError) in try pieces(name, in: directory, take) }
            }
        } catch { throw UnderstudyError(error) }
        if sink.isDone { return sink.content }
        let reason = failure?.message ?? damage ?? "it ends before one"
        throw unclear(directory, "Its \(name) cannot be read up to a backup_label: \(reason).")
    }

    private struct LabelSink: TarSink {
        typealias Failure = BackupFormatError
        var content: [UInt8] = []
        var isDone = false
        private var isLabel = false

        mutating func begin(_ entry: TarEntry) {
            isLabel = !isDone && entry.path.bytes.elementsEqual(BackupReader.label.utf8)
        }

        mutating func content(_ bytes: RawSpan) {
            guard isLabel, content.count < BackupReader.longestLabel else { return }
            // The bytes are copied within the call.
            unsafe bytes.withUnsafeBytes { unsafe content.append(contentsOf: $0) }
        }

        mutating func end() {
            if isLabel { isDone = true }
            isLabel = false
        }
    }
}

extension ManifestWALRange {
    fileprivate var positions: (start: WALPosition, end: WALPosition)? {
        guard let start = LSN(start), let end = LSN(end), start <= end, timeline > 0 else { return nil }
        let id = TimelineID(rawValue: timeline)
        return (WALPosition(timeline: id, lsn: start), WALPosition(timeline: id, lsn: end))
    }
}
