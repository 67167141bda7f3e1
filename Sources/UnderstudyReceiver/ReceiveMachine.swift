import UnderstudyConnection
package import UnderstudyProtocol
package import UnderstudyWAL

/// The rules of receiving WAL, apart from clock and I/O: takes events, returns what is to be done.
///
/// What it guarantees: positions follow each other without gap or overlap; the flush position in a status update
/// is never beyond what ``Event/synced(_:)`` has reported; a stop ends the stream only after everything up to
/// it has been synced and acknowledged.
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
        /// Which position is told as flushed.
        package var flushReport: FlushReport

        package init(
            statusInterval: Duration? = .seconds(10), syncBytes: UInt64 = 16 << 20,
            syncInterval: Duration = .seconds(1), isSynchronous: Bool = false, silenceLimit: Duration? = nil,
            quietLimit: Duration? = nil, reconnects: Bool = false, flushReport: FlushReport = FlushReport()
        ) {
            self.flushReport = flushReport
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
        /// Everything before this position is written, and will not get safer by another sync now.
        case written(LSN)
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
        /// The limit of ``FlushReport`` is another now.
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
    /// Everything before it is on stable storage.
    package private(set) var flushed = LSN.invalid

    /// Everything before it was written to its file; invalid before the first report.
    private var writtenOut = LSN.invalid
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

    package init(
        start: LSN, timeline: TimelineID, segmentSize: WALSegmentSize, policy: Policy
    ) {
        self.policy = policy
        halfSilence = policy.silenceLimit.map { $0 / 2 }
        self.segmentSize = segmentSize
        self.timeline = timeline
        received = start
        syncRequested = start
        settled = start
    }

    /// - Parameter now: Time since some fixed moment; never goes backwards.
    package mutating func handle(_ event: Event, now: Duration) throws(ReceiveError) -> [Action] {
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
                actions.append(acknowledge(now))
            }
        case .written(let position):
            settled = max(settled, position)
            let told = status.flushed
            writtenOut = max(writtenOut, position)
            if status.flushed != told { actions.append(acknowledge(now)) }
        case .tick:
            if let limit = policy.quietLimit, lastStatus.map({ now - $0 >= limit }) ?? true {
                actions.append(acknowledge(now))
            }
        case .synchronous(let isSynchronous): policy.isSynchronous = isSynchronous
        case .flushLimit(let limit):
            let told = status.flushed
            policy.flushReport.limit = limit
            if status.flushed != told { actions.append(acknowledge(now)) }
        case .endOfStream:
            if isFinished { return [] }
            guard policy.reconnects else {
                throw ReceiveError(.endedEarly, "server ended the WAL stream at \(received)")
            }
            return [.reconnect]
        case .stop(let position):
            stop = position
            if isStopping { actions = requestSync(now) }
        case .endOfTimeline(let next):
            guard next.timeline > timeline, next.position <= received else {
                throw ReceiveError(
                    .protocolViolation,
                    "server ended timeline \(timeline) at \(next.position) for timeline \(next.timeline), but had sent WAL up to \(received)"
                )
            }
            timeline = next.timeline
            received = next.position.segmentStart(segmentSize)
            syncRequested = received
            settled = min(settled, received)
            flushed = min(flushed, received)
            writtenOut = min(writtenOut, received)
            // No acknowledgement: the copy that would carry it is over.
            return [.sync, .follow(timeline, from: received)]
        }
        if let interval = policy.statusInterval, lastStatus.map({ now - $0 >= interval }) ?? true {
            actions.append(acknowledge(now))
        }
        if isStopping && settled >= received && !isFinished {
            isFinished = true
            actions.append(.finish)
        }
        return actions
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
    var isStopping: Bool {
        stop.map { received >= $0 } ?? false
    }

    private var unsynced: UInt64 {
        syncRequested.distance(to: received) ?? 0
    }

    private mutating func take(_ start: LSN, _ count: Int) throws(ReceiveError) -> [Action] {
        guard start == received else {
            throw ReceiveError(.protocolViolation, "server sent WAL from \(start), expected \(received)")
        }
        guard let end = received.advanced(by: UInt64(count)) else {
            throw ReceiveError(.protocolViolation, "server sent WAL beyond the last position, from \(start)")
        }
        var actions: [Action] = []
        var taken = 0
        while received < end {
            guard let segment = WALSegmentName(containing: received, timeline: timeline, size: segmentSize) else {
                throw ReceiveError(.protocolViolation, "server sent WAL beyond the last segment, from \(received)")
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

    private mutating func checkSilence(_ now: Duration) throws(ReceiveError) -> [Action] {
        guard let halfSilence, now - (asked ?? lastHeard) >= halfSilence else { return [] }
        if asked != nil { throw ReceiveError(.stalled(for: now - lastHeard)) }
        asked = now
        return [acknowledge(now, asking: true)]
    }

    private mutating func acknowledge(_ now: Duration, asking: Bool = false) -> Action {
        lastStatus = now
        var status = status
        status.replyRequested = asking
        return .acknowledge(status)
    }

    /// What there is to tell the server.
    var status: StandbyStatus {
        // A new timeline begins at the start of its segment, and a sync of the old one may be reported later.
        let limit = policy.flushReport.limit
        let safe = policy.flushReport.basis == .synced ? flushed : writtenOut
        return StandbyStatus(
            // Beside a flush position the written one counts, too. Without one it is a figure for those who look.
            written: limit == .invalid ? received : min(received, limit), flushed: min(safe, received, limit),
            replyRequested: false)
    }

    /// Whether somebody waits for every sync.
    var isSynchronous: Bool { policy.isSynchronous }
}

extension ReceiveMachine.Event {
    /// Whether the server's silence begins anew. It does too where nobody listened, because the disk was slow.
    fileprivate var isSignOfLife: Bool {
        switch self {
        case .data, .keepalive, .tick, .endOfTimeline: true
        case .drained, .synced, .written, .stop, .synchronous, .endOfStream, .flushLimit: false
        }
    }
}
