package import UnderstudyWAL

/// The state machine for receiving WAL, without clock or I/O: takes events and returns actions.
///
/// Guarantees: WAL has no gaps or overlaps. The flush position in a status update is never beyond the last
/// ``Event/synced(_:)``, and the write position never beyond that and ``Event/written(_:)``. On one connection the
/// flush position never goes back; nor does the write position on one timeline. The stream leaves a timeline only when
/// all of it is synced. A stop ends the stream only after everything up to the stop position was synced and
/// acknowledged.
package struct ReceiveMachine: Sendable {
    package struct Policy: Sendable {
        /// How often a status update is sent unasked; nil for never.
        package var statusInterval: Duration?
        /// Received bytes are synced when this many are unsynced…
        package var syncBytes: UInt64
        /// …or when the first of them arrived this long ago, …
        package var longestUnsynced = Duration.seconds(2)
        /// …or when the input is drained and the last sync was this long ago.
        package var syncInterval: Duration
        /// Whether everything received is synced as soon as the input is drained.
        package var isSynchronous: Bool
        /// How long the server may be silent; nil for no limit. After half of it, a reply is requested.
        package var silenceLimit: Duration?
        /// The longest time without a status update while a slow disk keeps us from reading, whatever the status
        /// interval; nil for no limit. Must be less than half of the server's wal_sender_timeout.
        package var quietLimit: Duration?
        package static let usualQuietLimit = Duration.seconds(2)
        /// Whether to reconnect when the server ends the stream. If not, that is an error.
        package var reconnects: Bool
        /// The highest position reported as flushed or written. While it is invalid, no flush position is reported and
        /// the write position is not limited: the server never chooses such a WAL sender as a synchronous standby,
        /// whatever its write position. Once valid, the limit may grow, or become invalid for good. The reported flush
        /// position is then withdrawn, which does not move the slot.
        ///
        /// Source: `SyncRepGetCandidateStandbys` in `syncrep.c`.
        package var flushLimit: LSN

        package init(
            statusInterval: Duration? = .seconds(10), syncBytes: UInt64 = 16 << 20,
            syncInterval: Duration = .seconds(1), isSynchronous: Bool = false, silenceLimit: Duration? = nil,
            quietLimit: Duration? = usualQuietLimit, reconnects: Bool = false, flushLimit: LSN = .unlimited
        ) {
            self.flushLimit = flushLimit
            self.silenceLimit = silenceLimit
            self.quietLimit = quietLimit
            self.reconnects = reconnects
            self.statusInterval = statusInterval
            self.syncBytes = syncBytes
            self.syncInterval = syncInterval
            self.isSynchronous = isSynchronous
        }
    }

    package enum Event: Sendable, Equatable {
        /// This many bytes of WAL have arrived.
        case data(start: LSN, count: Int)
        case keepalive(replyRequested: Bool)
        /// All input available so far was processed.
        case drained
        /// Everything before this position is on stable storage.
        case synced(LSN)
        /// Everything before this position was passed to the operating system.
        case written(LSN)
        /// Everything before this position is written, and another sync now would not make it safer.
        case settled(LSN)
        /// Time passed during which the input was not read.
        case tick
        /// The stream must end once it reaches this position.
        case stop(at: LSN)
        /// The server ended the stream because the timeline ends here.
        case endOfTimeline(NextTimeline)
        /// The server ended the stream because it is shutting down.
        case endOfStream
        /// Whether commits on the server now wait for our acknowledgement.
        case synchronous(Bool)
        /// A new value for ``Policy/flushLimit``.
        case flushLimit(LSN)
    }

    package enum Action: Sendable, Equatable {
        /// Write these bytes of the message at this offset of the segment.
        case write(Range<Int>, segment: WALSegmentName, offset: Int)
        /// Sync everything written so far, and then report ``Event/synced(_:)``.
        case sync
        case acknowledge(StandbyStatus)
        /// Fetch the history of this timeline, and then stream it from the position.
        case follow(TimelineID, from: LSN)
        /// End the stream.
        case finish
        /// The stream is over; continue on a new connection.
        case reconnect
    }

    private var policy: Policy
    private let segmentSize: WALSegmentSize
    package private(set) var timeline: TimelineID
    /// The position after the last byte received.
    package private(set) var received: LSN
    /// Everything before it is on stable storage, on this timeline or its ancestors.
    package private(set) var flushed: LSN
    /// Everything before it was passed to the operating system.
    private var written: LSN
    /// The server keeps WAL from this position on, so no lower flush position is reported.
    private let reserved: LSN
    /// The last flush position reported on this connection.
    private var reportedFlushed = LSN.invalid
    /// The timeline to follow once everything is synced. Until then there is no copy stream to send status updates on.
    private var leavingFor: NextTimeline?

    private var syncRequested: LSN
    /// Everything before it was written, and synced if possible.
    private var settled: LSN
    private var lastSync = Duration.zero
    /// When the first byte arrived for which no sync was requested yet.
    private var unsyncedSince = Duration.zero
    private var lastStatus: Duration?
    /// When the server was last heard from. A tick counts too, since the input was not read.
    private var lastHeard = Duration.zero
    /// When a reply was last requested, if nothing was heard since.
    private var asked: Duration?
    private var stop: LSN?
    private var isFinished = false
    /// Half of the policy's limit, precomputed: dividing durations takes longer than handling an event.
    private let halfSilence: Duration?

    /// - Parameters:
    ///   - start: The start of a segment.
    ///   - held: Everything before it is on stable storage at the start; invalid if unknown.
    ///   - reserved: The position from which the slot keeps WAL; no lower flush position is reported. Invalid if
    ///     unknown.
    package init(
        start: LSN, timeline: TimelineID, segmentSize: WALSegmentSize, held: LSN = .invalid,
        reserved: LSN = .invalid, policy: Policy
    ) {
        self.policy = policy
        halfSilence = policy.silenceLimit.map { $0 / 2 }
        self.segmentSize = segmentSize
        self.timeline = timeline
        received = start
        flushed = held
        // Nothing is written beyond it yet, and the stream does not cover what comes before it.
        written = start
        self.reserved = reserved
        syncRequested = start
        settled = start
    }

    /// - Parameter now: The time since some fixed moment; must never go back.
    package mutating func handle(_ event: Event, now: Duration) throws(StreamError) -> [Action] {
        // Between two timelines neither side may send anything.
        if leavingFor != nil, event.needsCopy { return [] }
        var actions: [Action] = []
        if event.isSignOfLife {
            lastHeard = now
            asked = nil
        }
        switch event {
        case .data(let start, let count):
            // The server may send past the stop until it sees that we ended the copy.
            guard !isStopping else { break }
            if unsynced == 0 { unsyncedSince = now }
            actions = try take(start, count)
            let isDue = unsynced >= policy.syncBytes || now - unsyncedSince >= policy.longestUnsynced
            if isDue || isStopping { actions += requestSync(now) }
        case .keepalive(let replyRequested):
            if replyRequested {
                actions.append(acknowledge(now))
                // The server may be waiting for a higher position than this reply contains, as it does when it shuts
                // down.
                if unsynced > 0 { actions += requestSync(now) }
            }
        case .drained:
            if unsynced > 0 && (policy.isSynchronous || now - lastSync >= policy.syncInterval) {
                actions = requestSync(now)
            }
            actions += try checkSilence(now)
        case .synced(let position):
            // A destination that stores later may return a position of the timeline before, which means nothing here.
            settled = max(settled, min(position, received))
            let position = min(position, max(received, flushed))
            if position > flushed {
                flushed = position
                if leavingFor == nil { actions.append(acknowledge(now)) }
            }
        case .written(let position): written = max(written, position)
        case .settled(let position): settled = max(settled, position)
        case .tick:
            if let limit = policy.quietLimit, lastStatus.map({ now - $0 >= limit }) ?? true {
                actions.append(acknowledge(now))
            }
        case .synchronous(let isSynchronous): policy.isSynchronous = isSynchronous
        case .flushLimit(let limit):
            policy.flushLimit = limit
            if leavingFor == nil, status.flushed != reportedFlushed { actions.append(acknowledge(now)) }
        case .endOfStream:
            if isFinished { return [] }
            guard policy.reconnects else {
                throw StreamError(.endedEarly, "server ended the WAL stream at \(received)")
            }
            return [.reconnect]
        case .stop(let position):
            stop = position
            if isStopping { actions = requestSync(now) }
        case .endOfTimeline(let next):
            guard next.timeline > timeline, next.position <= received else {
                throw StreamError(
                    .protocolViolation,
                    "server ended timeline \(timeline) at \(next.position) for timeline \(next.timeline), but had sent WAL up to \(received)"
                )
            }
            leavingFor = next
            if settled < received { actions = requestSync(now) }
        }
        if leavingFor != nil { return try actions + leave() }
        if let interval = policy.statusInterval, lastStatus.map({ now - $0 >= interval }) ?? true {
            actions.append(acknowledge(now))
        }
        if isStopping && settled >= received && !isFinished {
            isFinished = true
            actions.append(.finish)
        }
        return actions
    }

    /// Follows the next timeline once everything received on the old one is synced.
    private mutating func leave() throws(StreamError) -> [Action] {
        guard let next = leavingFor, settled >= received else { return [] }
        leavingFor = nil
        // The server sent WAL beyond the fork, and it was acknowledged. On the new timeline the flush position would go
        // back.
        if reportedFlushed > next.position {
            guard policy.reconnects else {
                throw StreamError(
                    .endedEarly,
                    "server's timeline \(timeline) ended at \(next.position), before \(reportedFlushed), which was acknowledged"
                )
            }
            return [.reconnect]
        }
        timeline = next.timeline
        received = next.position.segmentStart(segmentSize)
        syncRequested = received
        settled = received
        // WAL before the fork is held on the ancestors of the new timeline.
        flushed = min(flushed, next.position)
        written = max(flushed, received)
        return [.follow(timeline, from: received)]
    }

    /// The time until the next tick is due even if nothing arrives; nil for never.
    package func nextTick(now: Duration) -> Duration? {
        let status = policy.statusInterval.map { (lastStatus ?? now) + $0 }
        let sync = unsynced > 0 ? policy.isSynchronous ? now : lastSync + policy.syncInterval : nil
        let silence = halfSilence.map { (asked ?? lastHeard) + $0 }
        guard var due = status ?? sync ?? silence else { return nil }
        if let sync { due = min(due, sync) }
        if let silence { due = min(due, silence) }
        return max(.zero, due - now)
    }

    /// Whether the stop position was reached: what remains is to sync and acknowledge.
    package var isStopping: Bool {
        stop.map { received >= $0 } ?? false
    }

    private var unsynced: UInt64 {
        syncRequested.distance(to: received) ?? 0
    }

    private mutating func take(_ start: LSN, _ count: Int) throws(StreamError) -> [Action] {
        guard start == received else {
            throw StreamError(.protocolViolation, "server sent WAL from \(start), expected \(received)")
        }
        guard let end = received.advanced(by: UInt64(count)) else {
            throw StreamError(.protocolViolation, "server sent WAL beyond the last position, from \(start)")
        }
        var actions: [Action] = []
        var taken = 0
        while received < end {
            guard let segment = WALSegmentName(containing: received, timeline: timeline, size: segmentSize) else {
                throw StreamError(.protocolViolation, "server sent WAL beyond the last segment, from \(received)")
            }
            let length = Int(min(end, segment.endLSN).rawValue - received.rawValue)
            actions.append(
                .write(taken..<taken + length, segment: segment, offset: Int(received.segmentOffset(segmentSize))))
            taken += length
            received = LSN(rawValue: received.rawValue + UInt64(length))
        }
        return actions
    }

    private mutating func requestSync(_ now: Duration) -> [Action] {
        guard unsynced > 0 else { return [] }
        syncRequested = received
        lastSync = now
        return [.sync]
    }

    private mutating func checkSilence(_ now: Duration) throws(StreamError) -> [Action] {
        guard let halfSilence, now - (asked ?? lastHeard) >= halfSilence else { return [] }
        if asked != nil {
            throw StreamError(.stalled, "server has sent nothing for \((now - lastHeard).secondsText) s")
        }
        asked = now
        return [acknowledge(now, asking: true)]
    }

    private mutating func acknowledge(_ now: Duration, asking: Bool = false) -> Action {
        lastStatus = now
        var status = status
        reportedFlushed = status.flushed
        status.replyRequested = asking
        return .acknowledge(status)
    }

    /// The status to report to the server.
    package var status: StandbyStatus {
        let limit = policy.flushLimit
        let reached = min(flushed, limit), told = reached >= reserved ? reached : .invalid
        // If a flush position is reported, the write position is limited too. Otherwise it is for information only.
        let shown = limit == .invalid ? written : min(written, limit)
        return StandbyStatus(written: max(shown, told), flushed: told, replyRequested: false)
    }

    /// Whether the flush position reported before must be withdrawn.
    package var withdrawsFlush: Bool { policy.flushLimit == .invalid }

    /// Whether the old timeline must still be synced before the next one is followed.
    package var isLeaving: Bool { leavingFor != nil }

    /// Whether each sync is urgent, because commits may wait for it.
    package var isSynchronous: Bool { policy.isSynchronous }
}

extension ReceiveMachine.Event {
    /// Whether the event belongs to a copy stream that the server has not ended.
    fileprivate var needsCopy: Bool {
        switch self {
        case .data, .keepalive, .drained, .tick, .endOfTimeline, .endOfStream: true
        case .synced, .written, .settled, .stop, .synchronous, .flushLimit: false
        }
    }

    /// Whether the event restarts the silence timeout. A tick does, since the input was not read while the disk was
    /// slow.
    fileprivate var isSignOfLife: Bool {
        switch self {
        case .data, .keepalive, .tick, .endOfTimeline: true
        case .drained, .synced, .written, .settled, .stop, .synchronous, .flushLimit, .endOfStream: false
        }
    }
}
