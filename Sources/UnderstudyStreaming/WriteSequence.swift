import UnderstudyPlatform
import UnderstudyWAL

/// Calls a destination in the right order, and remembers what was done: the next job continues from there. If a job
/// failed for lack of room, doing it again repeats only the call that failed.
struct WriteSequence: Sendable {
    /// A piece of WAL on its way to the disk.
    struct Piece: Sendable {
        var block: Block
        var segment: WALSegmentName
        var offset: Int

        /// The position after its last byte.
        var end: LSN { LSN(rawValue: segment.startLSN.rawValue + UInt64(offset + block.bytes.byteCount)) }
    }

    enum Job: Sendable {
        case write(Piece)
        case sync
        case history(TimelineID, [UInt8])
        /// The next timeline begins at this position.
        case suspend(LSN)

        var isSync: Bool { if case .sync = self { true } else { false } }
        var isHistory: Bool { if case .history = self { true } else { false } }
    }

    enum Outcome {
        /// Nothing to report.
        case done
        /// How far the destination has passed WAL to the operating system; nil if it does not say.
        case written(LSN?)
        /// - Parameters:
        ///   - durable: What the destination returned as durable; nil if nothing is.
        ///   - settled: Everything before it was written by then.
        ///   - finished: The segments finished since the last sync.
        case synced(durable: LSN?, settled: LSN?, finished: [WALSegmentName])
        case timelineEnded(next: LSN)
    }

    private let destination: any WALDestination
    /// The segment begun last; nil once it is finished.
    private var segment: WALSegmentName?
    private var written: LSN?
    private(set) var finished: [WALSegmentName] = []
    /// Bytes written since the last sync.
    private(set) var unsynced = 0
    /// Told how long each sync took.
    private let noteSync: (@Sendable (Duration) -> Void)?
    /// When the write began that a sync follows, which may put its bytes on stable storage already.
    private var syncBegan: ContinuousClock.Instant?

    init(_ destination: any WALDestination, noteSync: (@Sendable (Duration) -> Void)? = nil) {
        self.destination = destination
        self.noteSync = noteSync
    }

    /// - Parameter isBeforeSync: Whether the next job is a sync.
    mutating func perform(_ job: Job, isBeforeSync: Bool = false) throws(WALDestinationError) -> Outcome {
        switch job {
        case .write(let piece):
            try write(piece, isBeforeSync)
            return .written(destination.written)
        case .sync:
            let began = noteSync == nil ? nil : syncBegan ?? .now
            let durable = try destination.sync()
            if let noteSync, let began { noteSync(ContinuousClock.now - began) }
            defer {
                syncBegan = nil
                finished = []
                unsynced = 0
            }
            return .synced(durable: durable, settled: written, finished: finished)
        case .history(let timeline, let bytes):
            try destination.putHistory(timeline, bytes)
            return .done
        case .suspend(let next):
            try destination.suspend()
            segment = nil
            written = next
            return .timelineEnded(next: next)
        }
    }

    private mutating func write(_ piece: Piece, _ isBeforeSync: Bool) throws(WALDestinationError) {
        if segment != piece.segment {
            try destination.begin(WALSegment(piece.segment))
            segment = piece.segment
        }
        // On a retry the bytes may be written already, if only finishing the segment failed.
        if written != piece.end {
            if isBeforeSync {
                if noteSync != nil { syncBegan = .now }
                try destination.writeToSync(piece.block.bytes, at: piece.offset)
            } else {
                try destination.write(piece.block.bytes, at: piece.offset)
            }
            written = piece.end
            unsynced += piece.block.count
        }
        if piece.end == piece.segment.endLSN {
            try destination.finish(WALSegment(piece.segment))
            segment = nil
            finished.append(piece.segment)
        }
    }
}
