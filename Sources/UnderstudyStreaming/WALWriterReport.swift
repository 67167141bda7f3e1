import UnderstudyPlatform
package import UnderstudyWAL

extension WALWriter {
    /// What the writer reports to the network thread.
    package struct Report: Sendable {
        /// Everything before it is on stable storage, on the current timeline; nil before the first sync.
        var synced: LSN?
        /// Everything before it was passed to the operating system, on that timeline; nil if that is not known.
        var written: LSN?
        /// How far WAL was written at the last sync, on that timeline; before that, where the timeline begins.
        var settled: LSN?
        /// The number of timelines that have ended.
        var timelines = 0
        /// The segments that were finished, and synced after that, since the last call of `report()`.
        package internal(set) var finished: [WALSegmentName] = []
        /// Why nothing can be written at the moment; the writer keeps trying.
        var stall: WALDestinationError?
        package internal(set) var failure: WALDestinationError?

        /// - Returns: Whether the network thread must read the report now.
        mutating func note(_ outcome: WriteSequence.Outcome) -> Bool {
            let wasStalled = stall != nil
            stall = nil
            switch outcome {
            case .done: return wasStalled
            // Reported with the next sync, or when the server asks.
            case .written(let position):
                written = position ?? written
                return wasStalled
            case .synced(let durable, let settled, let finished):
                synced = durable
                self.settled = settled
                self.finished += finished
            case .timelineEnded(let next):
                synced = nil
                written = nil
                // A stream that stops here need not wait for the old timeline.
                settled = next
                timelines += 1
            }
            return true
        }
    }
}
