package import UnderstudyWAL

/// The rules of receiving WAL, apart from clock and I/O: takes events, returns what is to be done.
///
/// What it guarantees: WAL follows without gap or overlap. The flush position in a status update is never beyond what
/// ``Event/synced(_:)`` has reported, nor the written one beyond that and ``Event/written(_:)``; on one connection the
/// flush position never falls, nor the written one on one timeline. A timeline is left when all of it is synced. A stop
/// ends the stream only after everything up to it has been synced and acknowledged.
package struct ReceiveMachine: Sendable {
    package struct Policy: Sendable {
        /// How often a status update is sent unasked; nil for never.
        package var statusInterval: Duration?
        /// Received bytes that are not synced yet are synced when there are this many…
        package var syncBytes: UInt64
        /// …or the first of them came this long ago, …
        package var longestUnsynced = Duration.seconds(2)
        /// …or when the input is drained and the last sync is this long ago.
        package var syncInterval: Duration
        /// Whether all that has arrived is synced as soon as the input is drained.
        package var isSynchronous: Bool
        /// How long the server may be silent; nil for ever. After half of it the server is asked for a sign of life.
        package var silenceLimit: Duration?
        /// How long the server may hear nothing while the disk keeps us from listening, whatever the interval; nil for
        /// ever. Less than half of its wal_sender_timeout.
        package var quietLimit: Duration?
        /// Whether a server that ends the stream may be connected to again; if not, that is an error.
        package var reconnects: Bool
        /// Nothing beyond it is told as flushed or written. While it is invalid no flush position is told: such a WAL sender
        /// is not taken for a synchronous standby, whatever it is told as written. Once valid it may grow, or become
        /// invalid for good: what was told as flushed is withdrawn then, which moves no slot.
        ///
        /// Source: `SyncRepGetCandidateStandbys` in `syncrep.c`.
        package var flushLimit: LSN

        package init(
            statusInterval: Duration? = .seconds(10), syncBytes: UInt64 = 16 << 20,
            syncInterval: Duration = .seconds(1), isSynchronous: Bool = false, silenceLimit: Duration? = nil,
            quietLimit: Duration? = nil, reconnects: Bool = false, flushLimit: LSN = .unlimited
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
        /// WAL of this many bytes has arrived.
        case data(start: LSN, count: Int)
        case keepalive(replyRequested: Bool)
        /// Everything that has arrived so far was taken.
        case drained
        /// Everything before this position is on stable storage.
        case synced(LSN)
        /// Everything before this position is in the hands of the operating system.
        case written(LSN)
        /// Everything before this position is written, and will not get safer by another sync now.
        case settled(LSN)
        /// Time has passed in which nobody listened to the server.
        case tick
        /// The stream is to end once it has come to this position.
        case stop(at: LSN)
        /// The server has ended the stream because the timeline ends here.
        case endOfTimeline(NextTimeline)
        /// The server has ended the stream, because it shuts down.
        case endOfStream
        /// The server waits for what is acknowledged, or does not any more.
        case synchronous(Bool)
        /// The limit of ``Policy/flushLimit`` is another now.
        case flushLimit(LSN)
    }

    package enum Action: Sendable, Equatable {
        /// Write these bytes of the message at this offset of the segment.
        case write(Range<Int>, segment: WALSegmentName, offset: Int)
        /// Sync everything written so far, then report it with ``Event/synced(_:)``.
        case sync
        case acknowledge(StandbyStatus)
        /// Fetch the history of this timeline, then stream it from the position.
        case follow(TimelineID, from: LSN)
        /// End the stream.
        case finish
        /// The stream is over, and goes on over a new connection.
        case reconnect
    }

    private var policy: Policy
    private let segmentSize: WALSegmentSize
    package private(set) var timeline: TimelineID
    /// The position behind the last byte received.
    package private(set) var received: LSN
    /// Everything before it is on stable storage, on the timeline or on those from which it came.
    package private(set) var flushed: LSN
    /// Everything before it is in the hands of the operating system.
    private var written: LSN
    /// The server holds WAL from here on already, so less is not told.
    private let reserved: LSN
    /// The flush position that was told last on this connection.
    private var toldFlushed = LSN.invalid
    /// The timeline that follows once everything is synced: there is no copy in which anything could be told.
    private var leavingFor: NextTimeline?

    private var syncRequested: LSN
    /// Everything before it has been written, and synced if that is possible.
    private var settled: LSN
    private var lastSync = Duration.zero
    /// When the first byte came that no sync was asked for yet.
    private var unsyncedSince = Duration.zero
    private var lastStatus: Duration?
    /// When the server last gave a sign of life, or nobody listened.
    private var lastHeard = Duration.zero
    /// When the server was asked for one since.
    private var asked: Duration?
    private var stop: LSN?
    private var isFinished = false
    /// Half of the policy's limit: a division of durations takes longer than a whole turn of the machine.
    private let halfSilence: Duration?

    /// - Parameters:
    ///   - start: A segment's start.
    ///   - held: Everything before it is on stable storage from the beginning; invalid if that is not known.
    ///   - reserved: Where the slot begins: a lower flush position is not told; invalid if that is not known.
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
        // Behind it nothing is, and before it the stream has nothing to say.
        written = start
        self.reserved = reserved
        syncRequested = start
        settled = start
    }

    /// - Parameter now: Time since some fixed moment; never goes backwards.
    package mutating func handle(_ event: Event, now: Duration) throws(StreamError) -> [Action] {
        // Between two timelines the server says nothing, and nothing can be said to it.
        if leavingFor != nil, event.needsCopy { return [] }
        var actions: [Action] = []
        if event.isSignOfLife {
            lastHeard = now
            asked = nil
        }
        switch event {
        case .data(let start, let count):
            // Past the stop the server may go on until it has seen our end of the copy.
            guard !isStopping else { break }
            if unsynced == 0 { unsyncedSince = now }
            actions = try take(start, count)
            let isDue = unsynced >= policy.syncBytes || now - unsyncedSince >= policy.longestUnsynced
            if isDue || isStopping { actions += requestSync(now) }
        case .keepalive(let replyRequested):
            if replyRequested {
                actions.append(acknowledge(now))
                // It may be waiting for more than it gets to hear now, as at its shutdown.
                if unsynced > 0 { actions += requestSync(now) }
            }
        case .drained:
            if unsynced > 0 && (policy.isSynchronous || now - lastSync >= policy.syncInterval) {
                actions = requestSync(now)
            }
            actions += try checkSilence(now)
        case .synced(let position):
            settled = max(settled, position)
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
            if leavingFor == nil, status.flushed != toldFlushed { actions.append(acknowledge(now)) }
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

    /// Follows the next timeline, if all that came of the old one is synced.
    private mutating func leave() throws(StreamError) -> [Action] {
        guard let next = leavingFor, settled >= received else { return [] }
        leavingFor = nil
        // The server sent more than became its past, and was told so: what holds for the new timeline would be less.
        if toldFlushed > next.position {
            guard policy.reconnects else {
                throw StreamError(
                    .endedEarly,
                    "server's timeline \(timeline) ended at \(next.position), before \(toldFlushed), which was acknowledged"
                )
            }
            return [.reconnect]
        }
        timeline = next.timeline
        received = next.position.segmentStart(segmentSize)
        syncRequested = received
        settled = received
        // What lies before the fork is held on the timelines from which the new one came.
        flushed = min(flushed, next.position)
        written = max(flushed, received)
        return [.follow(timeline, from: received)]
    }

    /// When the next tick is due even if nothing arrives; nil for never.
    package func nextTick(now: Duration) -> Duration? {
        let status = policy.statusInterval.map { (lastStatus ?? now) + $0 }
        let sync = unsynced > 0 ? policy.isSynchronous ? now : lastSync + policy.syncInterval : nil
        let silence = halfSilence.map { (asked ?? lastHeard) + $0 }
        guard var due = status ?? sync ?? silence else { return nil }
        if let sync { due = min(due, sync) }
        if let silence { due = min(due, silence) }
        return max(.zero, due - now)
    }

    /// Whether it has come to the stop: what remains is to sync and acknowledge.
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
        toldFlushed = status.flushed
        status.replyRequested = asking
        return .acknowledge(status)
    }

    /// What there is to tell the server.
    package var status: StandbyStatus {
        let limit = policy.flushLimit
        let told = flushed >= reserved ? min(flushed, limit) : .invalid
        // Beside a flush position the written one counts, too. Without one it is a figure for those who look.
        let shown = limit == .invalid ? written : min(written, limit)
        return StandbyStatus(written: max(shown, told), flushed: told, replyRequested: false)
    }

    /// Whether a flush position that was told is to be taken back altogether.
    package var withdrawsFlush: Bool { policy.flushLimit == .invalid }

    /// Whether the old timeline is still to be synced before the next one is followed.
    package var isLeaving: Bool { leavingFor != nil }

    /// Whether somebody waits for every sync.
    package var isSynchronous: Bool { policy.isSynchronous }
}

extension ReceiveMachine.Event {
    /// Whether it is of a stream that the server has not ended.
    fileprivate var needsCopy: Bool {
        switch self {
        case .data, .keepalive, .drained, .tick, .endOfTimeline, .endOfStream: true
        case .synced, .written, .settled, .stop, .synchronous, .flushLimit: false
        }
    }

    /// Whether the server's silence begins anew. It does too where nobody listened, because the disk was slow.
    fileprivate var isSignOfLife: Bool {
        switch self {
        case .data, .keepalive, .tick, .endOfTimeline: true
        case .drained, .synced, .written, .settled, .stop, .synchronous, .flushLimit, .endOfStream: false
        }
    }
}
