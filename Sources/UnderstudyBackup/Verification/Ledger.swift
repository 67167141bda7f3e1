import UnderstudyBackupFormat
import UnderstudyPlatform

/// The sizes and checksums of the files that arrived, shared by the writers and the verifier.
final class Ledger: Sendable {
    private let arrivals = Monitor(ArrivalLedger())

    func record(_ path: MemberPath, size: UInt64, checksum: FileChecksum?) {
        arrivals.change { $0.record(path: path, size: size, checksum: checksum) }
    }

    func check(_ file: ManifestFile) -> ArrivalLedger.Outcome {
        arrivals.update { $0.check(file) }
    }

    var unlistedCount: Int {
        arrivals.read { $0.unlistedCount }
    }
}
