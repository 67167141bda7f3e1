import Glibc
import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyWAL

/// Compares the names, types and sizes of files with the manifest, directory by directory, and pg_control with its system
/// identifier.
struct PlainWalk {
    private let tree: ReadOnlyTree
    /// With what could not be looked at.
    private(set) var ignored: IgnoredPaths
    private let reporter: VerificationReporter
    /// If it can be read.
    private(set) var control: ControlFile?

    /// What a backup or clone under way has in its directory: UnfinishedMark.
    private static let mark = "pgsql_tmp.understudy"

    init(_ tree: ReadOnlyTree, _ ignored: IgnoredPaths, _ reporter: VerificationReporter) {
        self.tree = tree
        self.ignored = ignored
        self.reporter = reporter
    }

    /// - Throws: If the directory itself cannot be read.
    mutating func run(_ manifest: inout VerifiedManifest) throws(UnderstudyError) {
        control = readControl()
        do throws(FileIOError) { try look(into: nil, &manifest) } catch { throw UnderstudyError(error) }
    }

    private func readControl() -> ControlFile? {
        let path = ControlCheck.path
        guard let bytes = try? tree.openFile(RelativePath(path)).read(atMost: ControlCheck.size, path: path) else {
            return nil
        }
        return try? ControlFile(parsing: bytes)
    }

    /// Files as their names are read, and then directories: only the names of these are kept.
    private mutating func look(
        into directory: RelativePath?, _ manifest: inout VerifiedManifest
    ) throws(FileIOError) {
        var directories: [RelativePath] = []
        try tree.forEachName(in: directory) { name throws(FileIOError) in
            let path = directory?.appending(name) ?? name
            if !ignored.contains(path.bytes), isDirectory(path, &manifest) { directories.append(path) }
            return !reporter.isStopped
        }
        for path in directories {
            if reporter.isStopped { return }
            do throws(FileIOError) { try look(into: path, &manifest) } catch {
                ignored.add(path.bytes)
                reporter.report(.unreadable, MemberPath.escaped(path.bytes), error.description)
            }
        }
    }

    /// Compares what is no directory.
    private mutating func isDirectory(_ path: RelativePath, _ manifest: inout VerifiedManifest) -> Bool {
        let info: stat
        do throws(FileIOError) { info = try tree.status(of: path) } catch {
            let shown = MemberPath.escaped(path.bytes), reason = FileIOError.text(of: error.number)
            ignored.add(path.bytes)
            reporter.report(.unreadable, shown, "could not stat file or directory \"\(shown)\": \(reason)")
            return false
        }
        switch info.st_mode & S_IFMT {
        case S_IFDIR: return true
        case S_IFREG: compare(path, UInt64(info.st_size), &manifest)
        default:
            let shown = MemberPath.escaped(path.bytes)
            reporter.report(.fileType, shown, "\"\(shown)\" is not a regular file or directory")
        }
        return false
    }

    private func compare(_ path: RelativePath, _ size: UInt64, _ manifest: inout VerifiedManifest) {
        let bytes = path.bytes, shown = MemberPath.escaped(bytes)
        guard let index = manifest.files.index(of: bytes) else {
            return reporter.report(
                .extra, shown, "\"\(shown)\" is present on disk but not in the manifest",
                detail: shown == Self.mark
                    ? "It marks a copy of understudy that has not ended: the backup is not complete." : nil)
        }
        manifest.files[index].isFound = true
        let expected = manifest.files[index].size
        if size != expected {
            reporter.report(
                .size, shown, "\"\(shown)\" has size \(size) on disk but size \(expected) in the manifest")
            manifest.files[index].isBad = true
        }
        if manifest.version > 1, shown == ControlCheck.path, !reporter.isStopped {
            verifyControl(against: manifest.systemIdentifier ?? 0)
        }
    }

    /// A backup of another cluster, or of none, is not looked at further.
    private func verifyControl(against identifier: UInt64) {
        let name = tree.fullPath(RelativePath(ControlCheck.path))
        do throws(FileIOError) {
            let bytes = try tree.openFile(RelativePath(ControlCheck.path)).read(atMost: ControlCheck.size, path: name)
            ControlCheck.flaw(bytes, named: name, identifier: identifier).map { reporter.report($0, isLast: true) }
        } catch {
            let message = "could not open file \"\(name)\" for reading: \(FileIOError.text(of: error.number))"
            reporter.report(
                BackupFinding(kind: .controlFile, path: ControlCheck.path, message: message), isLast: true)
        }
    }
}
