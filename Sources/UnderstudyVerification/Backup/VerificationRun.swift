import Glibc
import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyWAL

/// The steps of a verification, in the stock tool's order.
struct VerificationRun {
    let options: BackupVerification
    let directory: String
    let interrupt: Interrupt
    let reporter: VerificationReporter
    private let progress: @Sendable (BackupVerification.Progress) -> Void

    init(
        _ options: BackupVerification, _ interrupt: Interrupt,
        _ found: @escaping @Sendable (BackupFinding) -> Void,
        _ progress: @escaping @Sendable (BackupVerification.Progress) -> Void
    ) {
        self.options = options
        directory = Self.withoutEndingSlash(options.directory)
        self.interrupt = interrupt
        self.progress = progress
        reporter = VerificationReporter(stopsAtFirst: options.stopsAtFirstFinding, interrupt, found)
    }

    func run() throws(UnderstudyError) -> BackupVerification.Report {
        var manifest = try readManifest()
        var report = BackupVerification.Report()
        report.manifestVersion = manifest.version
        report.fileCount = manifest.files.entries.count
        let tree: ReadOnlyTree
        do throws(FileIOError) { tree = try ReadOnlyTree(path: directory) } catch { throw UnderstudyError(error) }
        report.format = options.format ?? BackupFormatDetection.format(of: tree)
        let ignored = IgnoredPaths(options.ignored)
        switch report.format {
        case .plain:
            var walk = PlainWalk(tree, ignored, reporter)
            try walk.run(&manifest)
            reportMissing(&manifest, walk.ignored)
            if options.verifiesChecksums, !reporter.isStopped {
                report.bytesVerified = try ContentVerification(tree, manifest.files, reporter).run(progress)
            }
            let source = WALSource.directory(options.walDirectory ?? "\(directory)/pg_wal")
            report.walRecordCount = verifyWAL(manifest, in: source, walk.control)
        case .tar:
            // Only the walk has it meanwhile, so that nothing is copied.
            let walk = ArchiveWalk(
                tree, ignored, exchange(&manifest, with: VerifiedManifest()), reporter,
                verifiesChecksums: options.verifiesChecksums)
            let result = try walk.run(progress)
            report.bytesVerified = result.bytesRead
            manifest = walk.manifest
            reportMissing(&manifest, ignored)
            let source = options.walDirectory.map { WALSource.directory($0) } ?? .archive(result.wal)
            report.walRecordCount = verifyWAL(manifest, in: source, result.control)
        }
        if interrupt.isRaised { throw UnderstudyError(.cancelled, "interrupted") }
        report.findings = reporter.findings
        return report
    }

    static func withoutEndingSlash(_ path: String) -> String {
        var path = path
        while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }

    // MARK: - The manifest

    private func readManifest() throws(UnderstudyError) -> VerifiedManifest {
        let path = options.manifestPath.map(Self.withoutEndingSlash) ?? "\(directory)/backup_manifest"
        var manifest = VerifiedManifest()
        var reader: ManifestReader
        do throws(BackupFormatError) { reader = try ManifestReader(.stock) } catch { throw manifest.failure(error) }
        let block: Block
        do throws(FileIOError) { block = try Block(capacity: 1 << 18) } catch { throw UnderstudyError(error) }
        let file: FileDescriptor
        do throws(FileIOError) {
            file = FileDescriptor(
                owning: try SystemCall.run { unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) }
                    .orThrow("could not open file", path))
        } catch { throw UnderstudyError(error) }
        var offset: Int64 = 0
        while !interrupt.isRaised {
            block.clear()
            do throws(FileIOError) {
                try block.append(from: file, at: offset, atMost: block.capacity, path: path)
            } catch { throw UnderstudyError(error) }
            if block.count == 0 { break }
            offset += Int64(block.count)
            try reader.consume(block.bytes, into: &manifest)
        }
        do throws(BackupFormatError) { try reader.finish() } catch { throw manifest.failure(error) }
        manifest.version = reader.version
        manifest.systemIdentifier = reader.systemIdentifier
        return manifest
    }

    private func reportMissing(_ manifest: inout VerifiedManifest, _ ignored: IgnoredPaths) {
        for index in manifest.files.entries.indices where !manifest.files[index].isFound {
            if reporter.isStopped { return }
            let path = manifest.files.path(index)
            if ignored.contains(path) { continue }
            let shown = MemberPath.escaped(path)
            reporter.report(.missing, shown, "\"\(shown)\" is present in the manifest but not on disk")
        }
    }
}

/// What is not looked at.
struct IgnoredPaths: Sendable {
    private var paths: [[UInt8]]

    init(_ paths: [String]) {
        let standard = ["backup_manifest", "pg_wal", "postgresql.auto.conf", "recovery.signal", "standby.signal"]
        self.paths = (standard + paths.map(VerificationRun.withoutEndingSlash)).map { Array($0.utf8) }
    }

    mutating func add(_ path: [UInt8]) { paths.append(path) }

    /// Whether it is one of them, or beneath one.
    func contains(_ path: [UInt8]) -> Bool {
        paths.contains { ignored in
            path.starts(with: ignored) && (path.count == ignored.count || path[ignored.count] == UInt8(ascii: "/"))
        }
    }
}

enum BackupFormatDetection {
    /// A directory without PG_VERSION and without archives is a damaged plain backup.
    static func format(of tree: ReadOnlyTree) -> BackupVerification.Format {
        if (try? tree.status(of: "PG_VERSION")) != nil { return .plain }
        var hasArchive = false
        try? tree.forEachName(in: nil) { name throws(FileIOError) in
            hasArchive = ArchiveFile.parse(name) != nil
            return !hasArchive
        }
        return hasArchive ? .tar : .plain
    }
}
