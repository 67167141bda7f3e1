import UnderstudyBackupFormat
package import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// A directory for members of an archive, and its prefix in the manifest.
struct MemberRoot: Sendable {
    enum Place: Sendable {
        case open(ConfinedDirectory)
        case closed(OwnedDirectory.Closed)
        case beneath(ConfinedDirectory, RelativePath)
    }

    var place: Place
    /// The prefix of members' paths in the manifest; nil for the data directory.
    var manifestPrefix: MemberPath?
    /// Whether files in it must be synced one by one.
    var syncsEachFile: Bool

    var path: String {
        switch place {
        case .open(let directory): directory.path
        case .closed(let directory): directory.path
        case .beneath(let directory, let relative): directory.fullPath(relative)
        }
    }

    /// Opens the directory. It is closed when it is no longer used: there may be thousands.
    func open() throws(UnderstudyError) -> Open {
        do throws(FileIOError) {
            let directory =
                switch place {
                case .open(let directory): directory
                case .closed(let directory): try directory.open()
                case .beneath(let directory, let relative): try directory.openDirectory(relative)
                }
            return Open(directory: directory, manifestPrefix: manifestPrefix, syncsEachFile: syncsEachFile)
        } catch { throw UnderstudyError(error) }
    }

    struct Open: Sendable {
        let directory: ConfinedDirectory
        let manifestPrefix: MemberPath?
        let syncsEachFile: Bool
    }
}

/// Where the members of each archive go, and what is refused.
struct DirectoryLayout: Sendable {
    var data: MemberRoot
    /// Where the members below pg_wal go, if not into the data directory.
    var wal: MemberRoot?
    /// The directory of each tablespace, by OID.
    var tablespaces: [UInt32: MemberRoot]
    /// The link target of each tablespace outside of the data directory, by OID.
    var links: [UInt32: String]
    /// Directories in the data directory that were made before the archive that contains them arrives.
    var premade: Set<String>
    var version: ServerVersion
    /// The members that the server never sends.
    var rules: MemberRules
    /// 0700 or 0750: the permissions that directories may have; files may have the same without x.
    var directoryMode: UInt16
    /// Whether long runs of zeros become holes: in all files but those of WAL, whose room a server counts on.
    var leavesHoles: Bool
    /// Whether members may meet what is there already: files are updated in place, and what is of another kind is replaced.
    var updates = false

    var walName: StaticString { version.usesXlogName ? "pg_xlog" : "pg_wal" }
}

/// What the feeders of a sink noticed.
final class MemberNotes: Sendable {
    private let state = Monitor((linked: Set<UInt32>(), executables: TruncatedList(), surplus: Surplus?.none))

    func noteLink(_ oid: UInt32) {
        state.change { _ = $0.linked.insert(oid) }
    }

    func noteExecutable(_ name: String) {
        state.change { $0.executables.note(name) }
    }

    func note(_ surplus: Surplus) {
        state.change { $0.surplus = surplus }
    }

    /// nil if nothing was looked at.
    var surplus: Surplus? { state.read { $0.surplus } }

    /// The OIDs of the tablespaces whose links have arrived.
    var linked: Set<UInt32> { state.read { $0.linked } }

    /// Files that are executable on the server but not here.
    var executables: TruncatedList { state.read { $0.executables } }
}

/// The plain format: feeders share the writers and their blocks.
package final class DirectorySink: BackupSink {
    let layout: DirectoryLayout
    private let pool: WritePool<DirectoryOutput>
    private let writers: [OwnThread]
    let notes = MemberNotes()
    let interrupt: Interrupt?

    init(
        _ layout: DirectoryLayout, pool: WritePool<DirectoryOutput>, interrupt: Interrupt? = nil
    ) throws(UnderstudyError) {
        self.interrupt = interrupt
        self.layout = layout
        self.pool = pool
        writers = try pool.start()
    }

    package var needsServerOrder: Bool { false }
    package var takesPieces: Bool { true }

    /// Why a writer failed, if one did.
    var failure: UnderstudyError? { pool.failure }

    package func makeFeeder() throws(UnderstudyError) -> some MemberFeeder {
        try DirectoryFeeder(layout, notes: notes, filler: BatchFiller(pool: pool))
    }

    package func close() {
        pool.close()
        for writer in writers { writer.join() }
    }
}
