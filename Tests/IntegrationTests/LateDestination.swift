import Synchronization
import Understudy
import UnderstudyMemoryDestinationExample

/// A destination that stores WAL when the test says so, and announces that, as one does that uploads.
final class LateDestination: WALDestination {
    private struct State {
        var stored: LSN?
        /// How far WAL was written at the last sync.
        var written: LSN?
        var hasNewWAL = false
        var quietSyncs = 0
    }

    let progress: WALProgress? = WALProgress()
    private let memory = MemoryDestination()
    private let state = Mutex(State())

    /// How far WAL was written at the last sync.
    var settled: LSN? { state.withLock { $0.written } }
    /// The number of syncs with nothing written since the one before.
    var quietSyncs: Int { state.withLock { $0.quietSyncs } }

    func store(upTo position: LSN) {
        state.withLock { $0.stored = position }
        progress?.announce()
    }

    func open(_ origin: WALOrigin) throws(WALDestinationError) -> WALHoldings { try memory.open(origin) }
    func begin(_ segment: WALSegment) { memory.begin(segment) }

    func write(_ bytes: RawSpan, at offset: Int) {
        memory.write(bytes, at: offset)
        state.withLock { $0.hasNewWAL = true }
    }

    func sync() -> LSN? {
        let written = memory.sync()
        return state.withLock { state in
            if !state.hasNewWAL { state.quietSyncs += 1 }
            state.hasNewWAL = false
            state.written = written
            return state.stored
        }
    }

    func finish(_ segment: WALSegment) { memory.finish(segment) }
    func suspend() { memory.suspend() }
    func putHistory(_ timeline: TimelineID, _ content: [UInt8]) { memory.putHistory(timeline, content) }
}
