import Glibc
import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyWAL

/// Compares the members of archives with the manifest.
final class ArchiveWalk {
    private let tree: ReadOnlyTree
    private let ignored: IgnoredPaths
    private let reporter: VerificationReporter
    private let verifiesChecksums: Bool
    private(set) var manifest: VerifiedManifest
    /// If it was there and could be read.
    private(set) var control: ControlFile?
    /// Where WAL may be.
    private(set) var wal: ArchivedWAL?
    private(set) var bytesRead: UInt64 = 0

    init(
        _ tree: ReadOnlyTree, _ ignored: IgnoredPaths, _ manifest: VerifiedManifest,
        _ reporter: VerificationReporter, verifiesChecksums: Bool
    ) {
        self.tree = tree
        self.ignored = ignored
        self.manifest = manifest
        self.reporter = reporter
        self.verifiesChecksums = verifiesChecksums
    }

    /// - Throws: If the directory cannot be read, or libcrypto lacks an algorithm.
    func run(_ progress: @escaping @Sendable (BackupVerification.Progress) -> Void) throws(UnderstudyError) {
        let archives: [(file: ArchiveFile, tablespace: MemberPath?, size: UInt64)]
        do throws(FileIOError) { archives = try findArchives() } catch { throw UnderstudyError(error) }
        let meter = VerificationMeter(total: archives.reduce(0) { $0 + $1.size }, progress)
        defer { bytesRead = meter.bytes }
        for (file, tablespace, _) in archives {
            if reporter.isStopped { return }
            var sink = try ArchiveMembers(
                manifest, ignored, reporter, archive: file.name.description, tablespace: tablespace,
                verifiesChecksums: verifiesChecksums)
            do throws(ArchiveFile.Failure) {
                try file.read(into: &sink, reporter) { meter.add($0) }
            } catch {
                // As far as what comes behind it can be told, the stock tool looks no further.
                let finding = BackupFinding(
                    kind: error.kind, path: file.name.description, message: error.message, detail: error.detail)
                reporter.report(finding, isLast: error.kind == .archive)
            }
            manifest = sink.manifest
            control = control ?? sink.control.flatMap { try? ControlFile(parsing: $0) }
        }
        meter.end()
    }

    private func findArchives() throws(FileIOError) -> [(ArchiveFile, MemberPath?, UInt64)] {
        var names: [RelativePath] = []
        try tree.forEachName(in: nil) { name throws(FileIOError) in
            names.append(name)
            return true
        }
        var archives: [(ArchiveFile, MemberPath?, UInt64)] = [], base: ArchiveFile?
        for name in names where !ignored.contains(name.bytes) {
            if reporter.isStopped { break }
            let shown = MemberPath.escaped(name.bytes)
            let info: stat
            do throws(FileIOError) { info = try tree.status(of: name) } catch {
                let reason = FileIOError.text(of: error.number)
                reporter.report(.unreadable, shown, "could not stat file or directory \"\(shown)\": \(reason)")
                continue
            }
            guard info.st_mode & S_IFMT == S_IFREG else {
                reporter.report(.fileType, shown, "file \"\(shown)\" is not a regular file")
                continue
            }
            guard let (stem, method) = ArchiveFile.parse(name) else {
                reporter.report(.extra, shown, "file \"\(shown)\" is not expected in a tar format backup")
                continue
            }
            let file = ArchiveFile(tree: tree, name: name, method: method)
            switch stem {
            case "pg_wal": wal = ArchivedWAL(file, directory: nil)
            case "base":
                base = file
                archives.append((file, nil, UInt64(info.st_size)))
            default: archives.append((file, try? MemberPath("pg_tblspc/\(stem)"), UInt64(info.st_size)))
            }
        }
        // With the WAL that was fetched at the end of the backup.
        if wal == nil, let base { wal = ArchivedWAL(base, directory: "pg_wal") }
        return archives
    }
}

/// The members of one archive.
struct ArchiveMembers: ~Copyable, TarSink {
    typealias Failure = ArchiveFile.Failure

    private(set) var manifest: VerifiedManifest
    /// The content of pg_control.
    private(set) var control: [UInt8]?
    private let ignored: IgnoredPaths
    private let reporter: VerificationReporter
    private let archive: String
    private let tablespace: MemberPath?
    private let verifiesChecksums: Bool
    private var check: FileCheck

    /// Whether the content of the member matters.
    private var isChecked = false
    private var isControl = false
    private var count: UInt64 = 0

    init(
        _ manifest: VerifiedManifest, _ ignored: IgnoredPaths, _ reporter: VerificationReporter, archive: String,
        tablespace: MemberPath?, verifiesChecksums: Bool
    ) throws(UnderstudyError) {
        check = try FileCheck(reporter)
        self.manifest = manifest
        self.ignored = ignored
        self.reporter = reporter
        self.archive = archive
        self.tablespace = tablespace
        self.verifiesChecksums = verifiesChecksums
    }

    func failure(_ error: BackupFormatError) -> Failure {
        Failure(
            kind: .archive, message: "input file does not appear to be a valid tar archive",
            detail: "\(error.message).\(error.detail.map { " \($0)" } ?? "")")
    }

    mutating func begin(_ entry: TarEntry) throws(Failure) {
        isChecked = false
        isControl = false
        count = 0
        guard entry.kind == .file else { return }
        let path = tablespace?.appending(entry.path) ?? entry.path, shown = path.description
        if ignored.contains(path.bytes) { return }
        guard let index = manifest.files.index(of: path.bytes) else {
            return reporter.report(
                .extra, shown, "file \"\(shown)\" is present in archive \"\(archive)\" but not in the manifest")
        }
        manifest.files[index].isFound = true
        let expected = manifest.files[index].size
        if entry.size != expected {
            manifest.files[index].isBad = true
            return reporter.report(
                .size, shown,
                "file \"\(shown)\" has size \(entry.size) in archive \"\(archive)\" but size \(expected) in the manifest"
            )
        }
        isControl = shown == ControlCheck.path
        if isControl { control = [] }
        guard verifiesChecksums, manifest.files[index].needsReading else { return }
        isChecked = true
        do throws(UnderstudyError) { try check.begin(manifest.files.expected(index), in: archive) } catch {
            throw Failure(kind: .unreadable, message: error.message, detail: error.detail)
        }
    }

    mutating func content(_ bytes: RawSpan) throws(Failure) {
        if isChecked { check.take(bytes, at: count) }
        count += UInt64(bytes.byteCount)
        guard isControl, let length = control?.count, length < ControlCheck.size else { return }
        for offset in 0..<min(bytes.byteCount, ControlCheck.size - length) {
            // In bounds; a byte has no invalid bit patterns.
            control?.append(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
        }
    }

    mutating func end() throws(Failure) {
        if isControl, manifest.version > 1, let control {
            let name = "\(archive): \(ControlCheck.path)"
            ControlCheck.flaw(control, named: name, identifier: manifest.systemIdentifier ?? 0).map {
                reporter.report($0, isLast: true)
            }
        }
        guard isChecked else { return }
        do throws(UnderstudyError) { try check.finish() } catch {
            throw Failure(kind: .unreadable, message: error.message, detail: error.detail)
        }
    }
}
