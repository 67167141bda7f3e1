import Synchronization
import UnderstudyConfiguration
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

@testable import UnderstudyBackup
@testable import UnderstudyCore

/// A target that throws everything away, and counts it. As a tar on standard output would, it wants the server's order,
/// and edits before the members.
final class CountingTarget: BackupTarget {
    struct Counts: Equatable {
        var files = 0, bytes = 0
        var walBytes = 0
        var manifestBytes = 0
        var edits: [String] = []
        var isDurable = false
        var undone = 0
    }

    let counts = Monitor(Counts())

    let name = "nothing"
    var isMade: Bool { true }
    var takesEditsFirst: Bool { true }
    var keepsSyncedWAL: Bool { false }
    var placeOnServer: BackupPlace? { nil }
    var wantsTablespaceMap: Bool { false }
    var directory: ConfinedDirectory? { nil }
    var failure: UnderstudyError? { nil }
    var recordPlace: String? { nil }

    func check() -> LeftoverBackup? { nil }

    func prepare(_ plan: BackupPlan) {}

    func makeSink(_ observer: MemberObserver) throws(UnderstudyError) -> CountingSink {
        let pool = WritePool(observer: observer, makeOutput: { [counts] in CountingOutput(counts: counts) }) {}
        return try CountingSink(pool: pool)
    }

    func makeWALDestination() -> any WALDestination { CountingWAL(counts: counts) }

    func makeManifestOutput() -> any ManifestOutput { CountingManifest(counts: counts) }

    func finishMembers() {}

    func history(of timeline: TimelineID) -> [UInt8]? { nil }

    func add(_ edit: StandbyConfiguration.FileEdit) -> Bool {
        counts.change { $0.edits.append(edit.name) }
        return true
    }

    func makeDurable(hasManifest: Bool) {
        counts.change { $0.isDurable = true }
    }

    func undo(keepingRecord: Bool) -> [FileIOError] {
        counts.change { $0.undone += 1 }
        return []
    }
}

struct CountingOutput: MemberOutput {
    let counts: Monitor<CountingTarget.Counts>

    func open(_ place: Bool, size: UInt64, piece: FilePiece?) {
        counts.change { $0.files += 1 }
    }

    func write(_ bytes: RawSpan) {
        let count = bytes.byteCount
        counts.change { $0.bytes += count }
    }

    func close() {}
    func finish() {}
}

final class CountingSink: BackupSink {
    private let pool: WritePool<CountingOutput>
    private let writers: [OwnThread]

    init(pool: WritePool<CountingOutput>) throws(UnderstudyError) {
        self.pool = pool
        writers = try pool.start()
    }

    var needsServerOrder: Bool { true }

    func makeFeeder() -> CountingFeeder { CountingFeeder(filler: BatchFiller(pool: pool)) }

    func close() {
        pool.close()
        for writer in writers { writer.join() }
    }
}

private final class CountingManifest: ManifestOutput {
    private let counts: Monitor<CountingTarget.Counts>

    init(counts: Monitor<CountingTarget.Counts>) {
        self.counts = counts
    }

    func write(_ bytes: RawSpan) {
        let count = bytes.byteCount
        counts.change { $0.manifestBytes += count }
    }

    func close() {}
}

/// Counts WAL, and calls it durable.
private final class CountingWAL: WALDestination {
    private let counts: Monitor<CountingTarget.Counts>
    private let end = Monitor<LSN?>(nil)
    private let segment = Monitor<WALSegment?>(nil)

    init(counts: Monitor<CountingTarget.Counts>) {
        self.counts = counts
    }

    func open(_ origin: WALOrigin) -> WALHoldings { WALHoldings() }

    func begin(_ segment: WALSegment) {
        self.segment.change { $0 = segment }
    }

    func write(_ bytes: RawSpan, at offset: Int) {
        let count = bytes.byteCount
        counts.change { $0.walBytes += count }
        guard let segment = segment.read({ $0 }) else { return }
        end.change { $0 = LSN(rawValue: segment.start.rawValue + UInt64(offset + count)) }
    }

    func sync() -> LSN? { end.read { $0 } }

    func finish(_ segment: WALSegment) {}

    func suspend() {}

    func putHistory(_ timeline: TimelineID, _ content: [UInt8]) {}
}
