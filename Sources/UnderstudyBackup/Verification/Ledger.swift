import Synchronization
import UnderstudyBackupFormat
import UnderstudyPlatform

/// The sizes and checksums of the files that arrived, shared by the writers and the verifier.
final class Ledger: Sendable {
    private let arrivals = Monitor(ArrivalLedger())
    /// Where they are listed at once, if the manifest is made here.
    private let manifest: OwnManifest?
    private let controlFile = Atomic(false)

    init(_ manifest: OwnManifest? = nil) {
        self.manifest = manifest
    }

    func record(
        _ path: MemberPath, size: UInt64, modified: Int64, checksum: FileChecksum?
    ) {
        if path.bytes.elementsEqual(HeldMember.path.utf8) { controlFile.store(true, ordering: .relaxed) }
        if let manifest { return manifest.add(path, size: size, modified: modified, checksum: checksum) }
        arrivals.change { $0.record(path: path, size: size, checksum: checksum) }
    }

    /// Whether global/pg_control has come.
    var hasControlFile: Bool { controlFile.load(ordering: .relaxed) }

    func check(_ file: ManifestFile) -> ArrivalLedger.Outcome {
        arrivals.update { $0.check(file) }
    }

    var unlistedCount: Int {
        arrivals.read { $0.unlistedCount }
    }
}
