import Glibc
import UnderstudyCompression
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// The files of an archive while it is looked at. One that cannot be read is noted, and the others are looked at all the same.
struct InspectedFiles: Sendable {
    let directory: ConfinedDirectory
    private let noted = Monitor<[String: WALDestinationError]>([:])

    /// - Parameter path: Of a directory in which files may be symbolic links, which are followed.
    init(_ path: String) throws(FileIOError) {
        directory = try ConfinedDirectory(path: path)
    }

    /// What could not be read so far, by name.
    var failures: [String: WALDestinationError] { noted.read { $0 } }

    /// Reads a file.
    ///
    /// - Returns: nil if it is gone, or cannot be read, which is noted.
    /// - Throws: What is not the file's fault, such as a lack of memory.
    func reading<Value>(
        _ name: String, _ body: () throws(WALDestinationError) -> Value?
    ) throws(WALDestinationError) -> Value? {
        do throws(WALDestinationError) { return try body() } catch {
            // An archiver may have finished it, or set it aside.
            if !directory.exists(RelativePath(name)) { return nil }
            guard error.isOfFile else { throw error }
            noted.change { $0[name] = $0[name] ?? error }
            return nil
        }
    }
}

extension WALDestinationError {
    /// Whether another file may be read all the same.
    var isOfFile: Bool {
        if let file { return !file.isShortage && !file.isInterruption }
        return cause is CompressionError
    }

    /// Why a file could not be read, without its name.
    var reasonOfFile: String {
        file.map { FileIOError.text(of: $0.number) } ?? (cause as? CompressionError)?.message ?? message
    }
}

// MARK: - What is there

extension ConfinedDirectory {
    /// What an archive has under names that may mean something.
    struct ArchiveEntries {
        /// The regular files, and links to such, without those that an archiver is about to write; by name.
        var files: [ArchivedFile] = []
        /// By name.
        var brokenLinks: [ArchiveInventory.BrokenLink] = []
    }

    func archiveEntries() throws(FileIOError) -> ArchiveEntries {
        var names = try archivedNames()
        // A file that is renamed meanwhile may be passed over, which would look like a gap.
        for _ in 1..<Self.mostLooks {
            let again = try archivedNames()
            if again == names { break }
            names = again
        }
        var found = ArchiveEntries()
        for name in names.sorted() {
            switch try archiveEntry(name) {
            case .file(let file): found.files.append(file)
            case .brokenLink(let reason): found.brokenLinks.append(.init(name: name, reason: reason))
            case nil: break
            }
        }
        return found
    }

    /// nil if it is gone, or leads nowhere.
    func archivedFile(_ name: String) throws(FileIOError) -> ArchivedFile? {
        if case .file(let file) = try archiveEntry(name) { file } else { nil }
    }

    private static let mostLooks = 10

    private func archivedNames() throws(FileIOError) -> Set<String> {
        var names: Set<String> = []
        try forEachEntry { entry throws(FileIOError) in
            let name = "\(entry.name)"
            if entry.kind == .file || entry.kind == .symbolicLink, !name.hasPrefix(".understudy"),
                !name.hasSuffix(".tmp")
            {
                names.insert(name)
            }
            return true
        }
        return names
    }

    private enum ArchiveEntry {
        case file(ArchivedFile)
        case brokenLink(reason: String)
    }

    /// nil if it is gone, or a link under a name that means nothing to something else than a file.
    private func archiveEntry(_ name: String) throws(FileIOError) -> ArchiveEntry? {
        let path = RelativePath(name)
        do throws(FileIOError) {
            var info = try status(of: path)
            let isLink = info.st_mode & S_IFMT == S_IFLNK
            if isLink {
                do throws(FileIOError) { info = try status(of: path, followsLink: true) } catch {
                    return isOfWAL(name) && exists(path)
                        ? .brokenLink(reason: FileIOError.text(of: error.number)) : nil
                }
                guard info.st_mode & S_IFMT == S_IFREG else {
                    return isOfWAL(name) ? .brokenLink(reason: "it is no regular file") : nil
                }
            }
            return .file(
                ArchivedFile(
                    name: name, bytes: UInt64(info.st_size), modified: Int64(info.st_mtim.tv_sec), isLink: isLink))
        } catch  where error.number == ENOENT {
            return nil
        }
    }

    private func isOfWAL(_ name: String) -> Bool {
        ArchivedSegment.isFileName(name) || ArchivedHistory(fileName: name) != nil
            || BackupHistoryName.isFileName(name) || OpaqueFile(named: name) != nil
    }
}
