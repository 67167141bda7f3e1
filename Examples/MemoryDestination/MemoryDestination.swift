import Synchronization
import Understudy

/// Keeps received WAL in memory: about the least that a destination must do.
///
/// It stands for a store that keeps each byte as soon as it is written. A store that does not must return from `sync`
/// only how far everything has been stored. It looks only at the newest segment, so it suits a server that is never
/// promoted: see ``WALOrigin/history`` for more.
public final class MemoryDestination: WALDestination {
    private struct Store {
        var segments: [WALSegment: [UInt8]] = [:]
        var finished: Set<WALSegment> = []
        var histories: [TimelineID: [UInt8]] = [:]
        var systemIdentifier: String?
        /// The segment begun last, and how much of it has been written since.
        var current: (segment: WALSegment, written: Int)?
        /// The end of the segment finished last in this connection.
        var end: LSN?
    }

    // The archiver calls one method at a time, but the program may read meanwhile.
    private let store = Mutex(Store())

    public init() {}

    public func open(_ origin: WALOrigin) throws(WALDestinationError) -> WALHoldings {
        try store.withLock { store throws(WALDestinationError) in
            if let known = store.systemIdentifier, known != origin.systemIdentifier {
                throw WALDestinationError("memory holds WAL of another database cluster")
            }
            store.systemIdentifier = origin.systemIdentifier
            store.current = nil
            store.end = nil
            let newest = store.segments.keys.max { ($0.start, $0.timeline) < ($1.start, $1.timeline) }
            guard let newest else { return WALHoldings() }
            // An incomplete segment is sent again, from its first byte.
            let next = store.finished.contains(newest) ? newest.end : newest.start
            return WALHoldings(next: WALPosition(timeline: newest.timeline, lsn: next))
        }
    }

    public func begin(_ segment: WALSegment) {
        store.withLock { store in
            // Existing content stays, and is overwritten with the same bytes.
            if store.segments[segment] == nil { store.segments[segment] = [] }
            store.current = (segment, 0)
        }
    }

    public func write(_ bytes: RawSpan, at offset: Int) {
        // The span is valid only during the call, so it is copied.
        let bytes = unsafe bytes.withUnsafeBytes { unsafe Array($0) }
        store.withLock { store in
            guard let segment = store.current?.segment, var content = store.segments.removeValue(forKey: segment) else {
                return
            }
            let end = offset + bytes.count
            content.replaceSubrange(min(offset, content.count)..<min(end, content.count), with: bytes)
            store.segments[segment] = content
            store.current = (segment, end)
        }
    }

    public func sync() -> LSN? {
        store.withLock { store in
            guard let (segment, written) = store.current else { return store.end }
            return LSN(rawValue: segment.start.rawValue + UInt64(written))
        }
    }

    public func finish(_ segment: WALSegment) {
        store.withLock { store in
            store.finished.insert(segment)
            store.current = nil
            store.end = segment.end
        }
    }

    public func suspend() {
        store.withLock { $0.current = nil }
    }

    public func putHistory(_ timeline: TimelineID, _ content: [UInt8]) {
        store.withLock { $0.histories[timeline] = content }
    }
}

extension MemoryDestination {
    public func content(of segment: WALSegment) -> [UInt8]? {
        store.withLock { $0.segments[segment] }
    }

    public func history(of timeline: TimelineID) -> [UInt8]? {
        store.withLock { $0.histories[timeline] }
    }
}
