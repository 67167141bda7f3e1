package import UnderstudyWAL

/// What happens on a stream, told on the network thread as it happens.
package enum StreamEvent: Sendable {
    case positions(StreamPositions)
    case segmentFinished(WALSegmentName)
    /// The stream goes on with this timeline, from the start of the segment in which it begins; the one before was left at
    /// a position in or at the end of the segment before.
    case timelineSwitched(to: TimelineID, at: LSN, leaving: LSN)
    /// The destination has no room: nothing is written until it has.
    case stalled(WALDestinationError)
    case recovered
}

/// How far a stream is.
package struct StreamPositions: Sendable, Equatable {
    package var timeline: TimelineID
    package var received: LSN
    /// Everything before it is on stable storage.
    package var synced: LSN
    /// What the server was last told of that.
    package var acknowledged: LSN
    /// How far the server's own WAL goes, as it last said.
    package var server: LSN

    package init(timeline: TimelineID, received: LSN, synced: LSN, acknowledged: LSN, server: LSN) {
        self.timeline = timeline
        self.received = received
        self.synced = synced
        self.acknowledged = acknowledged
        self.server = server
    }
}

/// What the stream's owner wants of it.
package struct StreamWishes: Sendable, Equatable {
    /// The stream is to end once it has come to this position.
    package var stop: LSN?
    /// Whether it is to end even if there is no room for what has come.
    package var endsWithoutRoom: Bool
    package var isSynchronous: Bool
    /// The limit up to which a flush position is told.
    package var flushLimit: LSN
    /// Whether the stream is held up by no rate from now on.
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
