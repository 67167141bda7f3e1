package import UnderstudyWAL

/// What happens on a stream, reported on the network thread as it happens.
package enum StreamEvent: Sendable {
    case positions(StreamPositions)
    /// The server was told that a piece of WAL is on stable storage, so long after the piece was received. One piece is
    /// timed at a time.
    case acknowledged(after: Duration)
    case segmentFinished(WALSegmentName)
    /// The stream continues on this timeline, from the start of the segment in which the timeline begins. `leaving` is
    /// how far the previous timeline was received: a position within its last segment, or at its end.
    case timelineSwitched(to: TimelineID, at: LSN, leaving: LSN)
    /// The destination has no room; nothing is written until it has.
    case stalled(WALDestinationError)
    case recovered
}

/// How far a stream has come.
package struct StreamPositions: Sendable, Equatable {
    package var timeline: TimelineID
    package var received: LSN
    /// Everything before it is on stable storage.
    package var synced: LSN
    /// The flush position that the server was last sent.
    package var acknowledged: LSN
    /// The end of the server's own WAL, as last reported.
    package var server: LSN

    package init(timeline: TimelineID, received: LSN, synced: LSN, acknowledged: LSN, server: LSN) {
        self.timeline = timeline
        self.received = received
        self.synced = synced
        self.acknowledged = acknowledged
        self.server = server
    }
}

/// What the stream's owner asks of it.
package struct StreamRequests: Sendable, Equatable {
    /// The position at which the stream is to end.
    package var stop: LSN?
    /// Whether to end even if there is no room for WAL that was received.
    package var endsWithoutRoom: Bool
    package var isSynchronous: Bool
    /// The highest flush position that may be reported.
    package var flushLimit: LSN
    /// Whether to lift the rate limit from now on.
    package var isUnlimited: Bool

    package init(
        stop: LSN? = nil, endsWithoutRoom: Bool = false, isSynchronous: Bool = false, flushLimit: LSN = .unlimited,
        isUnlimited: Bool = false
    ) {
        self.flushLimit = flushLimit
        self.isUnlimited = isUnlimited
        self.stop = stop
        self.endsWithoutRoom = endsWithoutRoom
        self.isSynchronous = isSynchronous
    }
}
