import UnderstudyConfiguration
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyBackup
@testable import UnderstudyCore

/// A data directory that is made equal to its source, without the checks and the removal that a user's target has around
/// it: what the sink does by itself.
final class UpdatingTarget: BackupTarget {
    private let data: ConfinedDirectory
    private let tablespaces: [UInt32: ConfinedDirectory]
    private let server = Monitor<ServerFacts?>(nil)

    /// - Parameter tablespaces: The directory of each, by OID.
    init(_ path: String, tablespaces: [UInt32: String] = [:]) throws {
        let owner = Account.postgres.map { FileOwner(user: $0.user, group: $0.group) }
        data = try ConfinedDirectory(path: path, owner: owner)
        self.tablespaces = try tablespaces.mapValues { try ConfinedDirectory(path: $0, owner: owner) }
    }

    var name: String { data.path }
    var isMade: Bool { true }
    var takesEditsFirst: Bool { false }
    var keepsSyncedWAL: Bool { false }
    var placeOnServer: BackupPlace? { nil }
    var wantsTablespaceMap: Bool { false }
    var directory: ConfinedDirectory? { data }
    var failure: UnderstudyError? { nil }
    var recordPlace: String? { nil }

    func check() -> LeftoverBackup? { nil }

    func prepare(_ plan: BackupPlan) { server.change { $0 = plan.server } }

    func makeSink(_ observer: MemberObserver) throws(UnderstudyError) -> DirectorySink {
        let server = server.read { $0! }
        let pool = WritePool(observer: observer, feeders: 4, makeOutput: { DirectoryOutput() }) {}
        var roots: [UInt32: MemberRoot] = [:]
        for (oid, directory) in tablespaces {
            roots[oid] = MemberRoot(
                place: .open(directory), manifestPrefix: try FileTable.path(Array("pg_tblspc/\(oid)".utf8)),
                syncsEachFile: false)
        }
        return try DirectorySink(
            DirectoryLayout(
                data: MemberRoot(place: .open(data), manifestPrefix: nil, syncsEachFile: false), wal: nil,
                tablespaces: roots, links: tablespaces.mapValues(\.path), premade: [], version: server.version,
                rules: MemberRules(version: server.version, includesWAL: false), directoryMode: server.directoryMode,
                leavesHoles: false, updates: true),
            pool: pool)
    }

    func makeWALDestination() -> any WALDestination { preconditionFailure("these backups stream no WAL") }

    func makeManifestOutput() throws(UnderstudyError) -> any ManifestOutput {
        try ManifestFileOutput(in: data, mode: 0o600, syncs: false)
    }

    func finishMembers() {}

    func history(of timeline: TimelineID) -> [UInt8]? { nil }

    func add(_ edit: StandbyConfiguration.FileEdit) -> Bool { true }

    func makeDurable(hasManifest: Bool) throws(UnderstudyError) {
        do throws(FileIOError) {
            try ControlFilePlace.complete(data, syncs: false)
            try data.rename(ManifestFileOutput.temporaryName, to: ManifestFileOutput.name)
        } catch { throw UnderstudyError(error) }
    }

    func undo(keepingRecord: Bool) -> [FileIOError] { [] }
}
