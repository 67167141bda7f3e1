import Synchronization
import UnderstudyArchive

/// The ledger of arrivals, shared by the writers and the verifier.
final class Ledger: Sendable {
    private let arrivals = Mutex(ArrivalLedger())

    func record(_ path: MemberPath, size: UInt64, checksum: FileChecksum?) {
        arrivals.withLock { $0.record(path: path, size: size, checksum: checksum) }
    }

    func check(_ file: ManifestFile) -> ArrivalLedger.Outcome {
        arrivals.withLock { $0.check(file) }
    }

    var unlistedCount: Int {
        arrivals.withLock { $0.unlistedCount }
    }
}
