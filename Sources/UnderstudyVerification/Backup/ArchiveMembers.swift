import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyWAL

/// Compares the members of an archive with the manifest. Their contents are checked as they come, or located, to be read by
/// several threads later.
struct ArchiveMembers: ~Copyable, ArchiveSink {
    typealias Failure = ArchiveFile.Failure

    private let known: Monitor<KnownOfArchives>
    private let ignored: IgnoredPaths
    private let reporter: VerificationReporter
    private let archive: String
    private let tablespace: MemberPath?
    private let verifiesChecksums: Bool
    /// That of the archive, if contents are located.
    private let number: Int?
    /// Of this archive, and of those before it.
    private(set) var located: [ContentItem]
    private var check: FileCheck

    /// That of the member in the manifest, if its content is to be compared.
    private var index: Int?
    /// The content of pg_control, while that is the member.
    private var control: [UInt8]?
    /// How much of the member's content came.
    private var count: UInt64 = 0
    /// Where its content begins in the archive, and where the next member does.
    private var start: UInt64 = 0
    private var next: UInt64 = 0

    init(
        _ known: Monitor<KnownOfArchives>, _ ignored: IgnoredPaths, _ reporter: VerificationReporter, archive: String,
        tablespace: MemberPath?, verifiesChecksums: Bool, locating place: (number: Int, found: [ContentItem])? = nil
    ) throws(UnderstudyError) {
        check = try FileCheck(reporter)
        self.known = known
        self.ignored = ignored
        self.reporter = reporter
        self.archive = archive
        self.tablespace = tablespace
        self.verifiesChecksums = verifiesChecksums
        number = place?.number
        located = place?.found ?? []
    }

    var needsContent: Bool { number == nil || control != nil }

    func failure(_ error: BackupFormatError) -> Failure {
        Failure(
            kind: .archive, message: "input file does not appear to be a valid tar archive",
            detail: "\(error.message).\(error.detail.map { " \($0)" } ?? "")")
    }

    mutating func begin(_ entry: TarEntry) throws(Failure) {
        index = nil
        control = nil
        count = 0
        start = next + UInt64(TarHeader.size)
        next = start + entry.size + UInt64(TarWriter.padding(after: entry.size))
        guard entry.kind == .file else { return }
        let path = tablespace?.appending(entry.path) ?? entry.path
        let bytes = path.bytes, shown = path.description
        if ignored.contains(bytes) { return }
        let found = known.change { known -> (index: Int, size: UInt64)? in
            guard let index = known.manifest.files.index(of: bytes) else { return nil }
            known.manifest.files[index].isFound = true
            let size = known.manifest.files[index].size
            if size != entry.size { known.manifest.files[index].isBad = true }
            return (index, size)
        }
        guard let found else {
            return reporter.report(
                .extra, shown, "file \"\(shown)\" is present in archive \"\(archive)\" but not in the manifest")
        }
        guard found.size == entry.size else {
            return reporter.report(
                .size, shown,
                "file \"\(shown)\" has size \(entry.size) in archive \"\(archive)\" but size \(found.size) in the manifest"
            )
        }
        if shown == ControlCheck.path { control = [] }
        guard verifiesChecksums, let file = known.read({ $0.toRead(found.index) }) else { return }
        index = found.index
        guard number == nil else { return }
        do throws(UnderstudyError) { try check.begin(file, in: archive) } catch { throw Self.failure(error) }
    }

    mutating func content(_ bytes: RawSpan) throws(Failure) {
        if index != nil, number == nil { check.take(bytes, at: count) }
        count += UInt64(bytes.byteCount)
        guard let length = control?.count, length < ControlCheck.size else { return }
        for offset in 0..<min(bytes.byteCount, ControlCheck.size - length) {
            // In bounds; a byte has no invalid bit patterns.
            control?.append(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
        }
    }

    mutating func end() throws(Failure) {
        if let index {
            if let number {
                located.append(ContentItem(index, archive: number, start: start))
            } else {
                do throws(UnderstudyError) { try check.finish() } catch { throw Self.failure(error) }
            }
        }
        if let control { try verify(control) }
    }

    /// A backup of another cluster, or of none, is not looked at further.
    private func verify(_ control: [UInt8]) throws(Failure) {
        let (version, identifier) = known.change { known in
            known.control = known.control ?? (try? ControlFile(parsing: control))
            return (known.manifest.version, known.manifest.systemIdentifier ?? 0)
        }
        let name = "\(archive): \(ControlCheck.path)"
        guard version > 1, let flaw = ControlCheck.flaw(control, named: name, identifier: identifier) else { return }
        throw Failure(kind: flaw.kind, path: flaw.path, message: flaw.message, detail: flaw.detail)
    }

    private static func failure(_ error: UnderstudyError) -> Failure {
        Failure(kind: .unreadable, message: error.message, detail: error.detail)
    }
}
