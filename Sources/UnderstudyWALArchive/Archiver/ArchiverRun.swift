import Logging
import Metrics
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

/// A running archiver: connects, streams and reconnects, on its own thread.
struct ArchiverRun {
    let archiver: WALArchiver
    let parameters: ConnectionParameters
    let metrics: ArchiverMetrics
    /// The cluster of the first connection; no other one may follow.
    private var systemIdentifier: String?
    private var segmentSize: WALSegmentSize?
    private var hasStreamed = false
    private var pauses = RetryPauses()
    /// How far WAL was synced, over all connections.
    private var furthest: WALPosition?
    private var lastTimeline: TimelineID?
    /// The end of the archive when the connection was made.
    private var archiveEnd: WALPosition?
    /// The gaps without a record, which are looked for once.
    private var missing: [WALGap] = []
    var slotTracker = SlotTracker()

    var state: ArchiverState { archiver.state }
    var options: WALArchiver.Options { archiver.options }
    var logger: Logger { archiver.logger }

    init(_ archiver: WALArchiver, metrics factory: any MetricsFactory) throws(UnderstudyError) {
        self.archiver = archiver
        parameters = try ConnectionParameters(reading: archiver.source)
        metrics = ArchiverMetrics(archiver.name, factory: factory)
        archiver.state.show(in: StatusGauges(archiver.name, factory: factory))
    }

    mutating func run() throws(UnderstudyError) {
        do throws(UnderstudyError) { try streamToEnd() } catch {
            if !hasStreamed { dropUnusedSlot() }
            throw error
        }
    }

    private mutating func streamToEnd() throws(UnderstudyError) {
        while !state.stopIsAsked {
            do throws(UnderstudyError) {
                if try streamOnce() { return }
                // The next connection ends the run, or recreates the slot.
                if slotTracker.noticed != nil { continue }
                try pauseBeforeNext(UnderstudyError(.connection, "disconnected"))
            } catch {
                // A stop may interrupt any wait.
                if state.stopIsAsked && (error.code == .cancelled || !Retry.isPermanent(error)) { break }
                try pauseBeforeNext(error)
            }
        }
    }

    /// - Returns: Whether the end was reached; if not, the connection was lost.
    private mutating func streamOnce() throws(UnderstudyError) -> Bool {
        state.change { $0.phase = .connecting }
        let session = try connect()
        let server = try ServerFacts(session, logger: logger)
        try checkSystem(server)
        try slotTracker.checkName(session, logger)
        // Nothing is made on the server for an archive that cannot be written.
        let placed = archiver.destination as? any PlacedDestination
        var isOpen = false
        defer { if isOpen || placed != nil { archiver.destination.close() } }
        do throws(WALDestinationError) { try placed?.reserve() } catch { throw UnderstudyError(error) }
        var slot = try ArchiverSlot(
            archiver.slot, session, server, parameters: parameters, recreates: options.recreatesSlot,
            tracker: &slotTracker,
            state: state, logger: logger)
        state.note(slot)
        let history = try readHistory(session, server)
        let holdings = try open(server, history, slot)
        isOpen = true
        note(holdings, .of(server.identity, history))
        try ArchiveEnd(holdings, of: archiver.destination, session, server, logger: logger).check()
        archiveEnd = holdings.end
        let start = try begin(session, server, &slot, history, holdings)
        // Acknowledged only after the comparison. And a slot that may be invalidated must not be revived at a position
        // where it holds no WAL.
        let isTold = holdings.isDurable && start == holdings.next && !slot.isUncertain
        let durable = isTold ? start.lsn : .invalid
        return try stream(session, server, slot, history, from: start, durable: durable)
    }

    /// The application_name, unless the connection string has another.
    static let applicationName = "understudy"

    private func connect() throws(UnderstudyError) -> Session {
        let logger = logger
        do throws(ConnectionError) {
            return try Session.connect(
                parameters, kind: .replication, applicationName: Self.applicationName, interrupt: state.interrupt,
                silenceLimit: options.stallTimeout, notices: logger.passingOn())
        } catch { throw WALSendersInUse.explain(error, parameters, state.interrupt, access: state.access) }
    }

    private mutating func checkSystem(_ server: ServerFacts) throws(UnderstudyError) {
        let found = server.identity.systemIdentifier
        if let systemIdentifier, systemIdentifier != found {
            throw UnderstudyError(
                .wal, "server belongs to another database cluster than before",
                detail: "The system identifiers are \(systemIdentifier) and \(found).",
                hint: "Name hosts of one cluster only, and give each cluster a directory of its own.")
        }
        systemIdentifier = found
        if let segmentSize, segmentSize != server.segmentSize {
            throw UnderstudyError(
                .wal, "server has WAL segments of another size than before",
                detail:
                    "They had \(Quantity.bytes(UInt64(segmentSize.bytes))), and have \(Quantity.bytes(UInt64(server.segmentSize.bytes))).",
                hint: "Begin an archive in another directory; it needs a new base backup.")
        }
        segmentSize = server.segmentSize
    }

    /// nil for timeline 1, or if the server no longer has the file.
    private func readHistory(_ session: Session, _ server: ServerFacts) throws(UnderstudyError) -> [UInt8]? {
        guard server.identity.timeline.rawValue > 1 else { return nil }
        do throws(ConnectionError) {
            return try session.history(of: server.identity.timeline)
        } catch  where error.sqlState == "58P01" {
            logger.warning(
                "server has no history file of its timeline \(server.identity.timeline): \(error.message)",
                metadata: .event(.historyMissing, ["timeline": .number(server.identity.timeline)]))
            return nil
        } catch { throw UnderstudyError(error) }
    }

    private func open(
        _ server: ServerFacts, _ history: [UInt8]?, _ slot: ArchiverSlot
    ) throws(UnderstudyError) -> WALHoldings {
        let origin = WALOrigin(
            systemIdentifier: server.identity.systemIdentifier, segmentSize: Int(server.segmentSize.bytes),
            timeline: server.identity.timeline, position: server.identity.position, history: history,
            fileMode: server.fileMode, reliesOnAcknowledgement: archiver.slot != .none || options.synchronous,
            restartLSN: slot.restart?.lsn)
        do throws(WALDestinationError) { return try archiver.destination.open(origin) } catch {
            var failure = UnderstudyError(error)
            if error.dependsOnServer { failure.code = .connection }
            throw failure
        }
    }

    private mutating func note(_ holdings: WALHoldings, _ history: TimelineHistory?) {
        if !holdings.missing.isEmpty { missing = holdings.missing }
        state.note(holdings, missing: missing)
        for warning in holdings.warnings { logger.warning("\(warning)", metadata: .event(.archiveFlaw)) }
        sayGaps(of: holdings, history)
        guard let divergence = holdings.divergence else { return }
        state.tell(.diverged(divergence))
        logger.warning(
            "server's history left timeline \(divergence.fork.timeline) at \(divergence.fork.lsn), before the end of the archive",
            metadata: .event(
                .diverged,
                [
                    "timeline": .number(divergence.fork.timeline), "forkLSN": .position(divergence.fork.lsn),
                    "detail":
                        "These files hold WAL that the server does not have, and were set aside: \(TruncatedList(divergence.names).list).",
                ]))
    }

    // MARK: - The stream

    private mutating func stream(
        _ session: Session, _ server: ServerFacts, _ slot: ArchiverSlot, _ history: [UInt8]?, from start: WALPosition,
        durable: LSN
    ) throws(UnderstudyError) -> Bool {
        let state = state
        // Before the writer begins, which must be ended in any case.
        try chooseMode(session, server)
        let writer = WALWriter(
            destination: archiver.destination, blocks: Self.blocks, noteSync: metrics.noteSync)
        if let past = try pastOf(start, session, server, history) { writer.putHistory(start.timeline, past) }
        let writing: WALWriter.Running
        do throws(FileIOError) { writing = try writer.start() } catch { throw UnderstudyError(error) }
        guard state.beginStreaming(writer, from: start.lsn, reserved: slot.restart?.lsn) else {
            writer.close()
            writing.join()
            return true
        }
        let observer = StreamObserver(
            archiver, metrics, start: start, segmentSize: server.segmentSize,
            from: lastTimeline, furthest: furthest, held: archiveEnd,
            isKnownAsDisconnected: pauses.isKnownAsDisconnected)
        let watch = ServerWatch(
            parameters.pinned(to: session), server: "\(session.host):\(session.port)", version: server.version,
            senderPID: session.backendProcessID,
            applicationName: session.applicationName ?? Self.applicationName, slot: archiver.slot.name,
            confirmsSlot: slot.restart == nil, archiver: archiver)
        watch.start()
        let waits = StreamWatch(archiver)
        let holdings = HoldingsWatch(archiver, server, .of(server.identity, history))
        observer.connected(session, start, serverAt: server.identity.position)
        waits.start()
        holdings?.start()
        var isDone = false
        var failure: UnderstudyError?
        do throws(ReceiveError) {
            var loop = NetworkLoop(
                session: session, writer: writer,
                machine: ReceiveMachine(
                    start: start.lsn, timeline: start.timeline, segmentSize: server.segmentSize, held: durable,
                    reserved: min(slot.restart?.lsn ?? .invalid, server.identity.position), policy: policy),
                bytesPerSecond: options.maxRate?.bytesPerSecond, requestsChanged: state.requestsChanged,
                requests: { [end = options.endLSN] in
                    state.beat()
                    var requests = state.requests
                    // Stops beyond the position, not at it, like pg_receivewal.
                    requests.stop = requests.stop ?? end?.advanced(by: 1)
                    return requests
                },
                observe: { event in observer.handle(event) })
            loop.heard = { state.hear() }
            loop.pageCheck = FirstPageCheck(systemIdentifier: server.identity.systemIdentifier)
            isDone = try loop.run(slot: slot.name)
        } catch {
            if error.code == .stoppedWhileStalled {
                isDone = true
            } else {
                // If the slot is looked up only when the stream begins, this code means that it is missing.
                failure =
                    error.connection.map {
                        UnderstudyError($0, of: $0.sqlState == "42704" ? .slot : .server, slot: slot.name)
                    } ?? UnderstudyError(error)
            }
        }
        writer.close()
        writing.join()
        watch.stop()
        holdings?.stop()
        state.endStreaming()
        waits.stop()
        if watch.hasSeenSlotHold { slotTracker.noteHeld(session, server) }
        if let (invalidation, endsStream) = state.takeSlotInvalidation() {
            slotTracker.note(invalidation)
            if endsStream { isDone = isDone && state.stopIsAsked }
        }
        let report = writer.report()
        for segment in report.finished { observer.handle(.segmentFinished(segment)) }
        observer.ended(inOrder: isDone || state.stopIsAsked)
        hasStreamed = hasStreamed || observer.hasBegun
        if observer.hasToldAgain { pauses.noteStreamingAgain() }
        // Receiving the same bytes again and again is not progress.
        if observer.synced.isBeyond(furthest ?? start) {
            furthest = observer.synced
            pauses.noteProgress()
        }
        lastTimeline = observer.timeline
        // Whatever happened to the connection, a failed sync must be reported. A lack of room is temporary, and what
        // was not written was not acknowledged; but an end position is reached only when everything up to it is
        // written.
        let endsShort = isDone && !state.stopIsAsked
        if let failure = report.failure, !failure.isTemporary || endsShort { throw UnderstudyError(failure) }
        if var failure {
            if let name = slot.name {
                let parameters = parameters.pinned(to: session)
                slotTracker.note(
                    failure, hasReceived: observer.hasReceived, isLast: !options.reconnects, name, server, parameters,
                    state.interrupt, access: state.access)
                if slotTracker.noticed != nil, !state.stopIsAsked { return false }
            }
            if failure.sqlState == "55006", let name = slot.name { failure.hint = SlotInUse.hint(name, server.version) }
            if !observer.hasReceived {
                failure = RefusedStart.explain(failure, from: start, serverAt: server.identity.position)
            }
            // If the WAL was removed while it was being sent, everything up to that point was received.
            var (lost, held) = (start, archiveEnd)
            if observer.hasReceived, report.failure == nil {
                let received = observer.received
                lost = WALPosition(timeline: received.timeline, lsn: received.lsn.segmentStart(server.segmentSize))
                held = received
            }
            throw try LostWAL.explain(failure, session, server, history, lost, slot: slot, held: held)
        }
        return isDone
    }

    /// Without ordinary connections, commits are thought to wait for us where they could: a sync too many does no harm.
    private func chooseMode(_ session: Session, _ server: ServerFacts) throws(UnderstudyError) {
        guard !options.opensOrdinaryConnections, !options.synchronous else { return }
        var mayWait = true
        if server.version.showsSettings {
            do throws(UnderstudyError) {
                let setting = try session.show("synchronous_standby_names")
                mayWait = SynchronousStandbyNames(setting).mayMean(session.applicationName ?? Self.applicationName)
            } catch  where error.code == .server {
                // It cannot be known.
            }
        }
        state.setSynchronous(mayWait)
        if mayWait, server.version.showsSettings, (try? session.show("synchronous_commit")) == "remote_apply" {
            archiver.warnOfReplay()
        }
    }

    /// The history file of the timeline on which the stream begins, if there is one.
    private func pastOf(
        _ start: WALPosition, _ session: Session, _ server: ServerFacts, _ history: [UInt8]?
    ) throws(UnderstudyError) -> [UInt8]? {
        if start.timeline == server.identity.timeline { return history }
        guard start.timeline.rawValue > 1 else { return nil }
        do throws(ConnectionError) { return try session.history(of: start.timeline) } catch  where error.code == .server
        {
            return nil
        } catch { throw UnderstudyError(error) }
    }

    /// The number of 1 MB blocks between network and disk.
    private static let blocks = 16

    private var policy: ReceiveMachine.Policy {
        ReceiveMachine.Policy(
            statusInterval: options.statusInterval, syncBytes: 64 << 20, syncInterval: .milliseconds(200),
            isSynchronous: options.synchronous, silenceLimit: options.stallTimeout,
            reconnects: true)
    }

    // MARK: - Between connections

    private mutating func pauseBeforeNext(_ error: UnderstudyError) throws(UnderstudyError) {
        guard options.reconnects, hasStreamed || options.retriesFirstConnection || systemIdentifier != nil,
            !Retry.isPermanent(error), hasStreamed || Retry.mayPass(error),
            // A run that lacks something from the beginning is for the user to see.
            error.code != .resources || hasStreamed || options.retriesFirstConnection
        else { throw error }
        state.pause(pauses.begin(after: error, of: archiver))
    }
}
