import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyTestKit
import UnderstudyWAL

/// A promise that the model breaks.
enum Fault: CaseIterable {
    case beginsSomewhere, syncsTooFar, syncFalls, syncsNothing, writtenTooFar, loses, losesOnSuspend, damages, invents
    case skips, restarts, durableWithoutHolding, losesHistories, otherGap, takesAnyCluster, ignoresForks
    case permanentWithoutRoom, dropsAfterWaiting, beginsOnce

    /// The rule that says so.
    var rule: WALDestinationRule {
        switch self {
        case .beginsSomewhere: .startsEmpty
        case .syncsTooFar: .acknowledgesWhatWasWritten
        case .syncFalls: .acknowledgementNeverFalls
        case .syncsNothing: .acknowledgementAdvances
        case .writtenTooFar: .reportsWhatWasWritten
        case .loses: .keepsWhatIsAcknowledged
        case .losesOnSuspend: .keepsWhatIsSuspended
        case .damages: .keepsFinishedSegments
        case .invents: .inventsNothing
        case .skips: .continuesWithoutGap
        case .restarts: .continuesWhereItEnded
        case .durableWithoutHolding: .holdingsAreDurable
        case .losesHistories: .keepsHistories
        case .otherGap: .keepsGaps
        case .takesAnyCluster: .refusesOtherClusters
        case .ignoresForks: .setsAsideAfterFork
        case .permanentWithoutRoom, .dropsAfterWaiting: .waitsForRoom
        case .beginsOnce: .takesEveryCall
        }
    }
}

/// The store of the model: what reaches it stays.
final class ModelStore: WALTestStore, Sendable {
    struct State {
        var segments: [WALSegment: [UInt8]] = [:]
        var finished: Set<WALSegment> = []
        var histories: [TimelineID: [UInt8]] = [:]
        var gaps: [WALGap] = []
        var systemIdentifier: String?
        var isFull = false
    }

    let state = Monitor(State())
    let fault: Fault?

    init(_ fault: Fault?) { self.fault = fault }

    func start() -> any WALDestination { ModelDestination(self) }
    func content(of segment: WALSegment) -> [UInt8]? { state.read { $0.segments[segment] } }
    func history(of timeline: TimelineID) -> [UInt8]? { state.read { $0.histories[timeline] } }

    func setFull(_ isFull: Bool) -> Bool {
        state.update { $0.isFull = isFull }
        return true
    }
}

/// Keeps bytes in a buffer until a sync, as a destination may; a kill loses the buffer.
final class ModelDestination: WALDestination {
    private struct Stream {
        var segment: WALSegment?
        var buffer: [UInt8] = []
        var end: LSN?
        var syncs = 0
        var hasWaited = false
    }

    private let store: ModelStore
    private let stream = Monitor(Stream())
    private var fault: Fault? { store.fault }

    init(_ store: ModelStore) { self.store = store }

    var written: LSN? {
        guard fault == .writtenTooFar else { return nil }
        return stream.read { $0.segment.map(\.end) }
    }

    // MARK: - Connections

    func open(_ origin: WALOrigin) throws(WALDestinationError) -> WALHoldings {
        stream.update { $0 = Stream() }
        let known = store.state.read { $0.systemIdentifier }
        if let known, known != origin.systemIdentifier, fault != .takesAnyCluster {
            throw WALDestinationError("another cluster")
        }
        var holdings = WALHoldings(isDurable: true)
        store.state.update { state in
            state.systemIdentifier = origin.systemIdentifier
            if fault != .ignoresForks { holdings.divergence = Self.setAside(&state, origin) }
            holdings.next = next(state)
            holdings.gaps = state.gaps
            if fault == .otherGap, let gap = state.gaps.first { holdings.gaps = [WALGap(start: gap.end, end: gap.end)] }
            if fault == .durableWithoutHolding, let first = state.segments.keys.min(by: { $0.start < $1.start }) {
                state.segments[first] = []
            }
        }
        return holdings
    }

    private func next(_ state: ModelStore.State) -> WALPosition? {
        guard let newest = state.segments.keys.max(by: { ($0.start, $0.timeline) < ($1.start, $1.timeline) }) else {
            return fault == .beginsSomewhere ? WALPosition(timeline: 1, lsn: LSN(rawValue: 3 << 20)) : nil
        }
        if fault == .restarts { return nil }
        let isWhole = state.finished.contains(newest) || fault == .skips
        return WALPosition(timeline: newest.timeline, lsn: isWhole ? newest.end : newest.start)
    }

    /// One fork is enough here.
    private static func setAside(_ state: inout ModelStore.State, _ origin: WALOrigin) -> WALHoldings.Divergence? {
        guard let text = origin.history.map({ String(decoding: $0, as: UTF8.self) }),
            let fork = LSN(String(text.split(separator: "\t")[1]))
        else { return nil }
        var names: [String] = []
        for (segment, content) in state.segments where segment.timeline == 1 && segment.end > fork {
            let held = segment.start.rawValue + UInt64(content.count)
            guard held > fork.rawValue else { continue }
            names.append(segment.name)
            let kept = Int(max(fork, segment.start).rawValue - segment.start.rawValue)
            state.segments[segment] = kept == 0 ? nil : Array(content.prefix(kept))
            state.finished.remove(segment)
        }
        return names.isEmpty ? nil : .init(fork: WALPosition(timeline: 1, lsn: fork), names: names)
    }

    // MARK: - Segments

    func begin(_ segment: WALSegment) throws(WALDestinationError) {
        if fault == .beginsOnce, store.content(of: segment) != nil { throw WALDestinationError("it exists") }
        stream.update {
            $0.segment = segment
            $0.buffer = []
        }
    }

    func write(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError) {
        // The bytes are copied within the call.
        let bytes = unsafe bytes.withUnsafeBytes { unsafe Array($0) }
        stream.update {
            $0.buffer.removeSubrange(offset...)
            $0.buffer += bytes
        }
    }

    func sync() throws(WALDestinationError) -> LSN? {
        let (segment, count, end, syncs) = stream.update { stream in
            stream.syncs += 1
            return (stream.segment, stream.buffer.count, stream.end, stream.syncs)
        }
        if fault != .loses { try flush() }
        if fault == .syncsNothing { return nil }
        guard let segment else { return end }
        if fault == .syncFalls, syncs % 2 == 0 { return segment.start }
        return LSN(rawValue: segment.start.rawValue + UInt64(count) + (fault == .syncsTooFar ? 1 : 0))
    }

    func finish(_ segment: WALSegment) throws(WALDestinationError) {
        try flush()
        if fault == .damages { store.state.update { $0.segments[segment]![77_777] ^= 1 } }
        store.state.update { _ = $0.finished.insert(segment) }
        stream.update {
            $0.segment = nil
            $0.end = segment.end
        }
    }

    func suspend() throws(WALDestinationError) {
        if fault != .losesOnSuspend { try flush() }
        stream.update { $0 = Stream() }
    }

    /// Puts the buffer into the store; what is there and longer stays.
    private func flush() throws(WALDestinationError) {
        try room()
        let (segment, buffer) = stream.read { ($0.segment, $0.buffer) }
        guard let segment else { return }
        store.state.update { state in
            let held = state.segments[segment] ?? []
            state.segments[segment] = buffer + held.dropFirst(buffer.count)
            if fault == .invents, buffer.count < segment.size { state.segments[segment]! += [1] }
        }
    }

    private func room() throws(WALDestinationError) {
        let hadNone = stream.read { $0.hasWaited }
        let isFull = store.state.read { $0.isFull }
        if isFull { stream.update { $0.hasWaited = true } }
        if isFull || (hadNone && fault == .dropsAfterWaiting) {
            throw WALDestinationError("no room", isTemporary: fault != .permanentWithoutRoom)
        }
    }

    func putHistory(_ timeline: TimelineID, _ content: [UInt8]) throws(WALDestinationError) {
        try room()
        store.state.update { state in
            if fault == .losesHistories, state.histories[timeline] != nil { return }
            state.histories[timeline] = content
        }
    }

    func noteGap(_ gap: WALGap) throws(WALDestinationError) {
        try room()
        store.state.update { $0.gaps.append(gap) }
    }
}
