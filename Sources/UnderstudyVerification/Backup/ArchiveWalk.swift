import Glibc
import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyWAL

/// What threads that read archives know of the backup.
struct KnownOfArchives: Sendable {
    var manifest: VerifiedManifest
    /// If it was there and could be read.
    var control: ControlFile?
    /// After which nothing else is verified: they are reported when what was begun is done.
    var ends: [BackupFinding] = []
    var failure: UnderstudyError?
    /// How many compressed archives were begun.
    var begun = 0

    /// - Returns: nil if the content of the file does not matter.
    func toRead(_ index: Int) -> ExpectedFile? {
        manifest.files[index].needsReading ? manifest.files.expected(index) : nil
    }
}

/// Compares archives with the manifest.
///
/// Of those that are not compressed, the members are found by one thread, and all read contents; compressed ones are read
/// several at a time.
final class ArchiveWalk: Sendable {
    private struct Archive {
        var file: ArchiveFile
        var tablespace: MemberPath?
        var size: UInt64
    }

    /// What was found.
    struct Result {
        var control: ControlFile?
        /// Where WAL may be.
        var wal: ArchivedWAL?
        var bytesRead: UInt64 = 0
    }

    private let tree: ReadOnlyTree
    private let ignored: IgnoredPaths
    private let reporter: VerificationReporter
    private let verifiesChecksums: Bool
    private let known: Monitor<KnownOfArchives>

    /// - Parameter manifest: Is in the walk until that has run.
    init(
        _ tree: ReadOnlyTree, _ ignored: IgnoredPaths, _ manifest: consuming VerifiedManifest,
        _ reporter: VerificationReporter, verifiesChecksums: Bool
    ) {
        self.tree = tree
        self.ignored = ignored
        self.reporter = reporter
        self.verifiesChecksums = verifiesChecksums
        known = Monitor(KnownOfArchives(manifest: manifest))
    }

    /// With what was found.
    var manifest: VerifiedManifest { known.read { $0.manifest } }

    /// - Throws: If the directory cannot be read, or libcrypto lacks an algorithm.
    func run(_ progress: @escaping @Sendable (BackupVerification.Progress) -> Void) throws(UnderstudyError) -> Result {
        let found: (archives: [Archive], wal: ArchivedWAL?)
        do throws(FileIOError) { found = try findArchives() } catch { throw UnderstudyError(error) }
        let plain = found.archives.filter { $0.file.method == nil }
        let compressed = found.archives.filter { $0.file.method != nil }
        var items: [ContentItem] = []
        for (number, archive) in plain.enumerated() where !hasEnded {
            var members = try members(of: archive, (number, items))
            items = []
            read(archive, &members) { _ in }
            items = members.located
        }
        let size = known.read { ContentQueue.size(of: items, $0.manifest.files) }
        let meter = VerificationMeter(total: size + compressed.reduce(0) { $0 + $1.size }, progress)
        OwnThread.share("verify-archives", among: min(Processors.count, compressed.count)) {
            self.work(compressed, meter)
        }
        if let failure = known.read({ $0.failure }) { throw failure }
        let contents = ContentQueue(manifest.files, items)
        try ContentVerification(tree, contents, in: plain.map(\.file), reporter).run(meter)
        // None is lost, even if several archives were damaged.
        let (control, ends) = known.read { ($0.control, $0.ends) }
        for (number, end) in ends.enumerated() { reporter.report(end, isLast: number == ends.count - 1) }
        meter.end()
        return Result(control: control, wal: found.wal, bytesRead: meter.bytes)
    }

    private var hasEnded: Bool { reporter.isStopped || known.read { !$0.ends.isEmpty || $0.failure != nil } }

    private func members(
        of archive: Archive, _ place: (number: Int, found: [ContentItem])?
    ) throws(UnderstudyError) -> ArchiveMembers {
        try ArchiveMembers(
            known, ignored, reporter, archive: archive.file.name.description, tablespace: archive.tablespace,
            verifiesChecksums: verifiesChecksums, locating: place)
    }

    private func read(
        _ archive: Archive, _ members: inout ArchiveMembers, _ took: @escaping @Sendable (Int) -> Void
    ) {
        do throws(ArchiveFile.Failure) { try archive.file.read(into: &members, reporter, took: took) } catch {
            let finding = BackupFinding(
                kind: error.kind, path: error.path ?? archive.file.name.description, message: error.message,
                detail: error.detail)
            // As far as what comes behind it can be told, the stock tool looks no further.
            guard error.kind != .unreadable else { return reporter.report(finding) }
            known.change { $0.ends.append(finding) }
        }
    }

    private func work(_ archives: [Archive], _ meter: VerificationMeter) {
        while !hasEnded {
            let number = known.change { known in
                defer { known.begun += 1 }
                return known.begun
            }
            guard number < archives.count else { return }
            do throws(UnderstudyError) {
                var members = try members(of: archives[number], nil)
                read(archives[number], &members) { meter.add($0) }
            } catch {
                known.change { $0.failure = $0.failure ?? error }
            }
        }
    }

    private func findArchives() throws(FileIOError) -> ([Archive], ArchivedWAL?) {
        var names: [RelativePath] = []
        try tree.forEachName(in: nil) { name throws(FileIOError) in
            names.append(name)
            return true
        }
        var archives: [Archive] = [], base: ArchiveFile?, wal: ArchivedWAL?
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
            let size = UInt64(info.st_size)
            switch stem {
            case "pg_wal": wal = ArchivedWAL(file, directory: nil)
            case "base":
                base = file
                archives.append(Archive(file: file, size: size))
            default:
                archives.append(Archive(file: file, tablespace: try? MemberPath("pg_tblspc/\(stem)"), size: size))
            }
        }
        // With the WAL that was fetched at the end of the backup.
        if wal == nil, let base { wal = ArchivedWAL(base, directory: "pg_wal") }
        return (archives, wal)
    }
}
