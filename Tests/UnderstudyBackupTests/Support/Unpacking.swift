import Synchronization
import Testing
import UnderstudyBackupFormat
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyCore

/// A backup's way from archive bytes to files, without a server: sink, filler, writers, ledger.
final class Unpacking {
    let base: String
    /// The data directory, beneath `base`.
    let path: String
    let targets: TargetDirectories
    let ledger = Ledger()
    let pool: WritePool<DirectoryOutput>
    /// How often a writer has said that it failed.
    let failures = Interrupt()

    private let sink: DirectorySink
    private var feeder: DirectoryFeeder

    struct Layout {
        var version = ServerVersion(number: 150_000)
        var algorithm: ChecksumAlgorithm? = .sha256
        /// Where the data directory is made; nil for a place of its own.
        var base: String?
        /// Makes the WAL directory beforehand, apart from the data directory.
        var hasWALDirectory = false
        /// OID of each announced tablespace; its directory is `base`/OID.
        var tablespaces: [UInt32] = []
        var inPlaceTablespaces: [UInt32] = []
        var includesWAL = false
        var directoryMode: UInt16 = 0o750
        var leavesHoles = false
        /// Whether members may meet what the test has put into the directory.
        var updates = false
    }

    /// The archives of the tablespaces.
    private(set) var roots: [UInt32: MemberRoot] = [:]

    /// The names in one of the directories, but for the mark that says that it is unfinished.
    static func names(_ path: String) -> [String] {
        FileTree.names(path).filter { $0 != "\(UnfinishedMark.name)" }
    }

    init(_ layout: Layout = Layout()) throws {
        base = try layout.base ?? TestDirectory.make("unpack")
        path = "\(base)/data"
        targets = try TargetDirectories(path: path, mode: 0o700, owner: nil, syncs: true)
        if layout.hasWALDirectory {
            _ = try targets.makeWALDirectory(named: layout.version.walDirectoryName, at: "\(base)/wal")
        }
        var links: [UInt32: String] = [:]
        for oid in layout.tablespaces {
            links[oid] = "\(base)/\(oid)"
            roots[oid] = try targets.makeTablespace(at: "\(base)/\(oid)")
        }
        for oid in layout.inPlaceTablespaces { roots[oid] = try targets.makeInPlaceTablespace(oid) }
        for oid in roots.keys { roots[oid]!.manifestPrefix = try MemberPath("pg_tblspc/\(oid)") }
        let failures = failures
        pool = WritePool(
            observer: MemberObserver(ledger: ledger, algorithm: layout.algorithm), makeOutput: { DirectoryOutput() }
        ) { failures.raise() }
        let places = DirectoryLayout(
            data: targets.root(targets.data, prefix: nil),
            wal: targets.wal.map { [targets] in targets.root($0, prefix: nil) }, tablespaces: roots, links: links,
            premade: targets.premade, version: layout.version,
            rules: MemberRules(version: layout.version, includesWAL: layout.includesWAL),
            directoryMode: layout.directoryMode, leavesHoles: layout.leavesHoles, updates: layout.updates)
        sink = try DirectorySink(places, pool: pool)
        feeder = try DirectoryFeeder(places, notes: sink.notes, filler: BatchFiller(pool: pool))
    }

    deinit {
        sink.close()
    }

    /// Unpacks one archive; nil is the one of the data directory.
    func unpack(_ archive: TarBytes, tablespace: UInt32? = nil, piece: Int = 32768) throws {
        try feeder.beginArchive(AnnouncedArchive(oid: tablespace, location: nil, size: nil))
        var reader = TarReader()
        for start in stride(from: 0, to: archive.bytes.count, by: piece) {
            let end = min(archive.bytes.count, start + piece)
            try reader.consume(archive.bytes.rawSpan.extracting(start..<end), into: &feeder)
        }
        try reader.finish()
    }

    /// One more way in, beside that of ``unpack(_:tablespace:piece:)``, into the data directory.
    func makeFeeder() throws -> some MemberFeeder {
        var feeder = try sink.makeFeeder()
        try feeder.beginArchive(AnnouncedArchive(oid: nil, location: nil, size: nil))
        return feeder
    }

    /// Waits until everything is written, or says what has failed.
    func drain() throws {
        try feeder.drain()
    }

    /// The tablespaces whose links have come.
    var linked: Set<UInt32> { sink.notes.linked }

    /// The files that are executable in the archive and not here.
    var executables: TruncatedList { sink.notes.executables }

    /// Unpacks an archive that must fail, and waits for that.
    func failure(_ make: (inout TarBytes) -> Void) -> UnderstudyError? {
        var archive = TarBytes()
        make(&archive)
        return #expect(throws: UnderstudyError.self) {
            try self.unpack(archive)
            try self.drain()
        }
    }

    func content(_ name: String, atMost limit: Int = 16 << 20) throws -> [UInt8] {
        try targets.directory.read(RelativePath(name), atMost: limit)
    }

    /// What the ledger says of a file with this content.
    func check(_ name: String, _ content: [UInt8], _ algorithm: ChecksumAlgorithm? = .sha256) throws
        -> ArrivalLedger.Outcome
    {
        var digest = try FileDigest(algorithm)
        digest.update(content.rawSpan)
        return ledger.check(
            ManifestFile(path: try MemberPath(name), size: UInt64(content.count), checksum: try digest.finish()))
    }
}
