public import UnderstudyWAL

/// WAL on one timeline, from where a record begins to where one ends.
public struct WALRange: Hashable, Sendable {
    public var timeline: TimelineID
    public var start: LSN
    public var end: LSN

    public init(timeline: TimelineID, start: LSN, end: LSN) {
        self.timeline = timeline
        self.start = start
        self.end = end
    }
}
