import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyStreaming
import UnderstudyWAL

/// Publishes what happens on a stream: status, events, metrics, and log lines in the words of pg_receivewal. Used only
/// by the network thread.
final class StreamObserver {
    private let archiver: WALArchiver
    private let segmentSize: WALSegmentSize
    private let start: WALPosition
    private(set) var timeline: TimelineID
    private let metrics: ArchiverMetrics
    private var lag: LagWarning
    private var last: StreamPositions
    private var hasNotedSegment = false
    /// Whether there was a connection before this one.
    private let isAgain: Bool
    /// Whether the log says that there is no connection.
    private let isKnownAsDisconnected: Bool
    /// Whether this stream was said to be there again.
    private(set) var hasToldAgain = false
    /// How far any stream before has synced.
    private let furthest: WALPosition
    private let began = ContinuousClock().now
    /// The end of the archive when the stream began: what lies before is received again, from its segment's start on.
    private let held: WALPosition?
    /// A stream that lasts is there, though a quiet server sends nothing.
    private static let lastingTime = Duration.seconds(10)

    private var state: ArchiverState { archiver.state }
    private var logger: Logger { archiver.logger }

    init(
        _ archiver: WALArchiver, _ metrics: ArchiverMetrics, start: WALPosition, segmentSize: WALSegmentSize,
        from before: TimelineID?, furthest: WALPosition?, held: WALPosition?,
        isKnownAsDisconnected: Bool
    ) {
        self.held = held
        self.furthest = furthest ?? start
        self.isKnownAsDisconnected = isKnownAsDisconnected
        isAgain = before != nil
        self.archiver = archiver
        self.metrics = metrics
        self.segmentSize = segmentSize
        self.start = start
        timeline = start.timeline
        lag = LagWarning(limit: archiver.options.maxLag)
        synced = start
        last = StreamPositions(
            timeline: start.timeline, received: start.lsn, synced: .invalid, acknowledged: .invalid,
            server: start.lsn)
        if let before, before != start.timeline {
            tellSwitch(to: start)
        }
    }

    /// Whether the server accepted the stream.
    private(set) var hasBegun = false
    /// Whether the stream received anything.
    var hasReceived: Bool { last.received > start.lsn || last.timeline != start.timeline }

    /// How far received WAL is on stable storage.
    private(set) var synced: WALPosition

    /// How far the stream has come.
    var received: WALPosition { WALPosition(timeline: last.timeline, lsn: last.received) }

    /// - Parameter server: The end of the server's WAL when it was connected to.
    func connected(_ session: Session, _ start: WALPosition, serverAt server: LSN) {
        metrics.beginStream(at: start)
        let isAgain = isAgain
        state.change { $0.beginStream(at: start, serverAt: server, isAgain: isAgain) }
        state.tell(.connected(host: session.host, port: session.port, start: start))
        logger.info(
            "starting log streaming at \(start.lsn) (timeline \(start.timeline))",
            metadata: .event(
                .connected,
                [
                    "host": "\(session.host)", "port": "\(session.port)", "startLSN": .position(start.lsn),
                    "timeline": .number(start.timeline),
                ]))
    }

    func handle(_ event: StreamEvent) {
        switch event {
        case .positions(let positions):
            hasBegun = true
            note(positions)
            tellAgain()
        case .acknowledged(let time): metrics.note(acknowledgedAfter: time)
        case .segmentFinished(let segment):
            metrics.noteFinishedSegment()
            state.change { $0.segmentsFinished += 1 }
            state.tell(.segmentFinished(WALSegment(segment)))
            logger.info(
                "finished segment at \(segment.endLSN) (timeline \(segment.timeline))",
                metadata: .event(
                    .segmentFinished,
                    [
                        "segment": "\(segment)", "endLSN": .position(segment.endLSN),
                        "timeline": .number(segment.timeline),
                    ]))
        case .timelineSwitched(let next, let position, let end):
            notePartial(at: end)
            timeline = next
            let start = WALPosition(timeline: next, lsn: position)
            state.tell(.timelineSwitched(to: start))
            tellSwitch(to: start)
        case .stalled(let error):
            let failure = UnderstudyError(error)
            metrics.note(isStalled: true)
            state.change { status in
                status.phase = .stalled
                status.note(failure)
            }
            state.tell(.stalled(failure))
            logger.warning(
                "\(failure.message)",
                metadata: .event(
                    .stalled,
                    [
                        "detail": "Nothing more is acknowledged until there is room; then it goes on by itself.",
                        "hint": .stringConvertible(failure.remedy ?? "Make room."),
                    ]))
        case .recovered:
            metrics.note(isStalled: false)
            state.change { $0.phase = .streaming }
            state.tell(.recovered)
            logger.notice("there is room again, going on", metadata: .event(.recovered))
        }
    }

    /// Says that the stream goes on, once it makes progress or lasts: a stream that begins and breaks again and again does
    /// neither.
    private func tellAgain() {
        guard isKnownAsDisconnected, !hasToldAgain,
            synced.isBeyond(furthest) || ContinuousClock().now - began >= Self.lastingTime
        else { return }
        hasToldAgain = true
        logger.notice(
            "streaming again from \(start.lsn)",
            metadata: .event(.streamingAgain, isOwn: true, ["startLSN": .position(start.lsn)]))
    }

    /// - Parameter inOrder: Whether the archiver wanted the stream to end.
    func ended(inOrder: Bool) {
        metrics.endStream(inOrder: inOrder)
        if last.received > start.lsn || last.timeline != start.timeline { notePartial(at: last.received) }
    }

    private func note(_ positions: StreamPositions) {
        guard positions != last else { return }
        let isSameSegment =
            hasNotedSegment && positions.timeline == last.timeline
            && positions.received.segmentNumber(segmentSize) == last.received.segmentNumber(segmentSize)
        hasNotedSegment = true
        last = positions
        let synced = WALPosition(timeline: positions.timeline, lsn: positions.synced)
        if synced.isBeyond(self.synced) { self.synced = synced }
        metrics.note(positions)
        let segmentSize = segmentSize
        let behind = state.change { status in
            status.received = positions.received
            status.synced = positions.synced
            status.acknowledged = positions.acknowledged
            // SQL may have told more than the stream has.
            status.server = max(status.server, positions.server, positions.received)
            status.timeline = positions.timeline
            status.holdings?.advance(to: synced)
            // Making its name takes longer than all the rest, and this is done for every commit.
            if !isSameSegment {
                status.segment =
                    WALSegmentName(
                        containing: positions.received, timeline: positions.timeline, size: segmentSize)?.description
            }
            if status.phase != .stalled {
                let behind = positions.received.distance(to: positions.server) ?? 0
                status.phase = behind > segmentSize.bytes ? .catchingUp : .streaming
            }
        }
        // What the archive holds already says nothing of a lag.
        if let held, !synced.isBeyond(held), synced != held { return }
        if let warning = lag.note(behind) { archiver.warn(lagging: warning) }
    }

    /// Logs that a segment stays partial. There is none at a segment's start, or if nothing was written.
    private func notePartial(at position: LSN) {
        guard !position.isSegmentStart(segmentSize),
            let segment = WALSegmentName(containing: position, timeline: timeline, size: segmentSize),
            let name = (archiver.destination as? WALDirectory)?.partialName(of: segment)
        else { return }
        logger.notice(
            "not renaming \"\(name)\", segment is not complete", metadata: .event(.partialKept, ["file": "\(name)"]))
    }

    private func tellSwitch(to start: WALPosition) {
        logger.info(
            "switched to timeline \(start.timeline) at \(start.lsn)",
            metadata: .event(
                .timelineSwitched, ["timeline": .number(start.timeline), "startLSN": .position(start.lsn)]))
    }
}

extension WALArchiver.Status {
    /// What was known of the server before does not count: it may be another one, or have gone on.
    mutating func beginStream(at start: WALPosition, serverAt server: LSN, isAgain: Bool) {
        if isAgain { reconnects += 1 }
        phase = .streaming
        timeline = start.timeline
        received = start.lsn
        self.server = max(server, start.lsn)
        connectedSince = .now
        if holdings?.end == nil { holdings?.begin = start }
    }
}

extension WALPosition {
    /// Whether it is on a later timeline, or further on the same one.
    func isBeyond(_ other: WALPosition) -> Bool { (timeline, lsn) > (other.timeline, other.lsn) }
}

/// Warns once when a limit is exceeded, and again only after the value has fallen to half the limit.
struct LagWarning {
    private let limit: UInt64?
    private var isOver = false

    init(limit: UInt64?) {
        self.limit = limit
    }

    mutating func note(_ bytes: UInt64) -> String? {
        guard let limit else { return nil }
        if bytes <= limit / 2 { isOver = false }
        guard bytes > limit, !isOver else { return nil }
        isOver = true
        return
            "\(Quantity.bytes(bytes)) of WAL on the server are not acknowledged yet, more than the limit of \(Quantity.bytes(limit))"
    }
}

extension WALArchiver {
    /// Warns once that commits wait for ever.
    ///
    /// Source: PostgreSQL manual, "pg_receivewal", on `--synchronous`.
    func warnOfReplay() {
        guard state.mayTellReplay() else { return }
        logger.warning(
            "commits with synchronous_commit = remote_apply wait for this receiver, which replays nothing: they never return",
            metadata: .event(
                .replayAwaited,
                [
                    "hint":
                        "Take the receiver out of synchronous_standby_names, or on the primary: ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf(); where a role or database has its own value: SELECT * FROM pg_db_role_setting;"
                ]))
    }

    func warn(lagging text: String, hint: String? = nil) {
        state.tell(.lagging(text))
        logger.warning("\(text)", metadata: .event(.lagging, hint.map { ["hint": "\($0)"] } ?? [:]))
    }
}
