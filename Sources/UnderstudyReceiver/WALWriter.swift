package import UnderstudyFileIO
package import UnderstudyWAL

/// Hands WAL to a destination on a thread of its own.
package final class WALWriter: Sendable {
    /// A piece of WAL on its way to the disk.
    struct Piece: Sendable {
        var block: Block
        var segment: WALSegmentName
        var offset: Int

        /// The position behind it.
        var end: LSN { LSN(rawValue: segment.startLSN.rawValue + UInt64(offset + block.bytes.byteCount)) }
    }

    private enum Job: Sendable {
        case write(Piece)
        case sync
        case history(TimelineID, [UInt8])
        /// The next timeline begins at this position.
        case suspend(LSN)
    }

    private struct State {
        var jobs: [Job] = []
        var isClosed = false
        var report = Report()
    }

    /// What the writer has to tell.
    package struct Report: Sendable {
        /// Everything before it is on stable storage, on the timeline that is being written; nil before the first sync.
        var synced: LSN?
        /// How far everything was written at the last sync, on that timeline; at its beginning, where it begins.
        var written: LSN?
        /// Grows with each timeline.
        var timelines = 0
        /// Segments that were finished, and synced after that, since the last look.
        package internal(set) var finished: [WALSegmentName] = []
        /// Why nothing is written at the moment, and will be as soon as it can.
        var stall: WALDestinationError?
        package internal(set) var failure: WALDestinationError?
    }

    private let state = Monitor(State())
    private let destination: any WALDestination
    private let pool: BlockPool
    /// Raised when the report has changed.
    let progress = Interrupt()

    /// Pieces end at multiples of it, so that those which fill a block can be written past the page cache.
    package static let blockSize = 1 << 20
    private static let retryPause = Duration.milliseconds(500)

    /// - Parameter blocks: How many blocks of 1 MB it may hold. WAL has blocks of its own: base data on a slow disk must
    ///   not starve it into wal_sender_timeout.
    package init(destination: any WALDestination, blocks: Int = 4) {
        self.destination = destination
        pool = BlockPool(blocks: blocks, blockSize: Self.blockSize)
    }

    package func start() -> OwnThread {
        OwnThread("wal writer") { self.run() }
    }

    // MARK: - For the network thread

    func takeBlock(timeout: Duration) -> Block? {
        pool.take(timeout: timeout)
    }

    func write(_ piece: Piece) {
        state.update { $0.jobs.append(.write(piece)) }
    }

    /// Everything handed over so far is to be synced, and a last piece.
    func sync(after piece: Piece? = nil) {
        state.update { state in
            if let piece { state.jobs.append(.write(piece)) }
            state.jobs.append(.sync)
        }
    }

    package func putHistory(_ timeline: TimelineID, _ bytes: [UInt8]) {
        state.update { $0.jobs.append(.history(timeline, bytes)) }
    }

    /// The timeline ends here: what is reported from now on is of the next one, which begins at this position.
    func endTimeline(next position: LSN) {
        state.update { $0.jobs.append(.suspend(position)) }
    }

    /// No more jobs come; the thread ends when the last one is done, or cannot be done for want of room.
    package func close() {
        state.update { $0.isClosed = true }
    }

    /// What has happened; `finished` since the last call.
    package func report() -> Report {
        state.update { state in
            let report = state.report
            state.report.finished = []
            return report
        }
    }

    // MARK: - On the writer thread

    private func run() {
        var segment: WALSegmentName?
        var written: LSN?
        var finished: [WALSegmentName] = []
        do throws(WALDestinationError) {
            while let jobs = nextJobs() {
                for (index, job) in jobs.enumerated() {
                    switch job {
                    case .write(let piece):
                        defer { pool.give(back: piece.block) }
                        try write(piece, &segment, &finished)
                        written = piece.end
                    case .sync where Self.isSyncedLater(jobs[(index + 1)...]): continue
                    case .sync:
                        var synced: LSN?
                        try patiently { () throws(WALDestinationError) in synced = try destination.sync() }
                        let position = synced
                        tell { report in
                            report.synced = position
                            report.written = written
                            report.finished += finished
                        }
                        finished = []
                    case .history(let timeline, let bytes):
                        try patiently { () throws(WALDestinationError) in try destination.putHistory(timeline, bytes) }
                    case .suspend(let next):
                        segment = nil
                        written = next
                        try patiently { () throws(WALDestinationError) in try destination.suspend() }
                        tell { report in
                            report.synced = nil
                            // A stream that stops here waits for nothing more of the old timeline.
                            report.written = next
                            report.timelines += 1
                        }
                    }
                }
            }
            try destination.suspend()
            tell { $0.finished += finished }
        } catch {
            tell { $0.failure = $0.failure ?? error }
        }
    }

    /// Whether a sync can be left out: syncs that were asked for meanwhile are one. Not over the end of a timeline, behind
    /// which nothing is told of it any more.
    private static func isSyncedLater(_ rest: ArraySlice<Job>) -> Bool {
        for job in rest {
            switch job {
            case .sync: return true
            case .suspend: return false
            case .write, .history: continue
            }
        }
        return false
    }

    private func write(
        _ piece: Piece, _ current: inout WALSegmentName?, _ finished: inout [WALSegmentName]
    ) throws(WALDestinationError) {
        if current != piece.segment {
            current = piece.segment
            try patiently { () throws(WALDestinationError) in try destination.begin(WALSegment(piece.segment)) }
        }
        try patiently { () throws(WALDestinationError) in
            try destination.write(piece.block.bytes, at: piece.offset)
        }
        if piece.end == piece.segment.endLSN {
            try patiently { () throws(WALDestinationError) in try destination.finish(WALSegment(piece.segment)) }
            current = nil
            finished.append(piece.segment)
        }
    }

    /// Repeats what failed for want of room, until there is some, or nobody waits for it any more.
    private func patiently(_ body: () throws(WALDestinationError) -> Void) throws(WALDestinationError) {
        while true {
            do throws(WALDestinationError) {
                try body()
                if state.read({ $0.report.stall != nil }) { tell { $0.stall = nil } }
                return
            } catch  where error.isTemporary {
                tell { $0.stall = error }
                if state.wait(timeout: Self.retryPause, until: { $0.isClosed ? true : nil }) ?? false { throw error }
            }
        }
    }

    private func tell(_ change: (inout Report) -> Void) {
        state.update { change(&$0.report) }
        progress.raise()
    }

    private func nextJobs() -> [Job]? {
        state.wait { state -> [Job]?? in
            if !state.jobs.isEmpty {
                let jobs = state.jobs
                state.jobs = []
                return .some(jobs)
            }
            return state.isClosed ? .some(nil) : nil
        } ?? nil
    }
}
