import Glibc
package import UnderstudyConnection
package import UnderstudyPlatform
package import UnderstudyProtocol
import UnderstudyWAL

/// The network thread's part of receiving: passes events to the state machine and performs its actions.
package struct NetworkLoop {
    let session: Session
    let writer: WALWriter
    /// Raised when the result of ``wishes`` has changed.
    let requestsChanged: Interrupt
    var machine: ReceiveMachine
    let wishes: () -> StreamRequests
    let observe: (StreamEvent) -> Void

    private let wakeUps: [Interrupt]
    let clock = ContinuousClock()
    let began: ContinuousClock.Instant
    var limit: RateLimit?
    /// The block that is being filled, and its place in the WAL.
    private var piece: WALWriter.Piece?
    private(set) var isFinished = false
    /// Whether the stream can continue only over a new connection.
    private var mustReconnect = false
    private var finishedAt: Duration?
    private var timelines = 0
    /// The number of timelines in a row that ended without WAL.
    var emptyTimelines = 0
    /// How far the previous timeline was received.
    private var ended = LSN.invalid
    private var isStalled = false
    private var serverPosition = LSN.invalid
    private var acknowledged = LSN.invalid
    /// Compares the first page of each segment with the segment's name; nil to skip the check.
    package var pageCheck: FirstPageCheck?

    /// - Parameters:
    ///   - bytesPerSecond: The rate limit; nil for none.
    ///   - wishes: Returns what the owner wants; called again when `requestsChanged` is raised.
    package init(
        session: Session, writer: WALWriter, machine: ReceiveMachine, bytesPerSecond: UInt64? = nil,
        requestsChanged: Interrupt, wishes: @escaping () -> StreamRequests, observe: @escaping (StreamEvent) -> Void
    ) {
        self.session = session
        self.writer = writer
        self.requestsChanged = requestsChanged
        wakeUps = [requestsChanged, writer.progress]
        self.machine = machine
        self.wishes = wishes
        self.observe = observe
        began = clock.now
        limit = bytesPerSecond.map { RateLimit(bytesPerSecond: $0, now: .zero) }
    }

    private var now: Duration { clock.now - began }

    /// Streams one timeline after another until the stop, or until the server ends the stream.
    ///
    /// - Returns: Whether the stop was reached; if not, the stream must continue over a new connection.
    package mutating func run(slot: String?) throws(ReceiveError) -> Bool {
        defer { reportPositions() }
        while true {
            let left = machine.timeline, begin = machine.received
            var next: NextTimeline?
            do throws(ReceiveError) { next = try streamTimeline(slot: slot) } catch {
                // Keep what has arrived: no server may have it any more.
                submit()
                throw error
            }
            if isFinished { return true }
            guard let next, !mustReconnect else { return false }
            try checkTimeline(left, from: begin)
            try putHistory(next, after: left)
        }
    }

    /// - Returns: The next timeline, if the stream ended because this timeline did.
    private mutating func streamTimeline(slot: String?) throws(ReceiveError) -> NextTimeline? {
        try connecting { () throws(ConnectionError) in
            try session.startReplication(slot: slot, from: machine.received, timeline: machine.timeline)
        }
        let reply = try connecting { () throws(ConnectionError) in try session.nextResult() }
        let isStreaming = reply == .copyBoth
        if isStreaming {
            try handle(.tick)
            try applyRequests()
            guard try receive() else { return nil }
        }
        let next: NextTimeline?
        do throws(ConnectionError) { next = try session.endReplication(after: isStreaming ? nil : reply) } catch {
            if error.code == .protocolViolation { throw ReceiveError(.protocolViolation, error.message) }
            throw ReceiveError(error)
        }
        if isFinished { return nil }
        submit()
        if machine.isStopping {
            // The server ended the stream before we did. Closing the writer writes and syncs the rest.
            isFinished = true
            return nil
        }
        ended = machine.received
        try handle(next.map { .endOfTimeline($0) } ?? .endOfStream)
        while machine.isLeaving { try waitForReport() }
        return next
    }

    /// Waits for the writer between two timelines, while the server expects no messages.
    private mutating func waitForReport() throws(ReceiveError) {
        let outcome = Interrupt.wait(
            socket: -1, events: 0, interrupts: [session.interruptOfSession] + wakeUps, timeout: nil)
        guard case .interrupted(let index) = outcome else { return }
        if index == 0 { throw ReceiveError(ConnectionError(.interrupted, "interrupted")) }
        try wake(index - 1)
    }

    /// Receives messages until both sides have ended the copy.
    ///
    /// - Returns: False if the server did not close its side of the copy in time. Everything is synced and acknowledged
    ///   by then.
    private mutating func receive() throws(ReceiveError) -> Bool {
        while true {
            try keepRate()
            if let finishedAt, now - finishedAt >= Self.copyEndTimeout { return false }
            let hasUnwritten = piece != nil
            let step = try session.takeCopyData(
                timeout: hasUnwritten ? .zero : longestWait, wakeUps: wakeUps,
                failure: ReceiveError.init
            ) { bytes throws(ReceiveError) in try take(bytes) }
            switch step {
            case .data: break
            case .timedOut:
                // Before submitting, because a sync takes the piece along: the writer then wakes only once.
                try handle(.drained)
                submit()
                reportPositions()
            case .woken(let index): try wake(index)
            case .ended: return true
            }
        }
    }

    /// How long the server may take to close its side of the copy after we have closed ours.
    private static let copyEndTimeout = Duration.seconds(5)

    private var longestWait: Duration? {
        let tick = machine.nextTick(now: now)
        guard let finishedAt else { return tick }
        let left = max(.zero, Self.copyEndTimeout - (now - finishedAt))
        return tick.map { min($0, left) } ?? left
    }

    private mutating func wake(_ index: Int) throws(ReceiveError) {
        if index == 0 {
            requestsChanged.clear()
            try applyRequests()
        } else {
            writer.progress.clear()
            try noteReport()
        }
    }

    private mutating func applyRequests() throws(ReceiveError) {
        let wishes = wishes()
        if wishes.isUnlimited { limit = nil }
        try endIfStalled()
        try handle(.synchronous(wishes.isSynchronous))
        try handle(.flushLimit(wishes.flushLimit))
        if let position = wishes.stop {
            submit()
            try handle(.stop(at: position))
        }
    }

    /// Waits while more has come than the rate allows, and keeps sending status updates.
    private mutating func keepRate() throws(ReceiveError) {
        guard !isFinished else { return }
        while limit != nil {
            let time = now
            guard let pause = limit?.pause(now: time), pause > .zero else { return }
            submit()
            try handle(.tick)
            // Sync as if the input were drained. The server's silence does not count while we do not read.
            try handle(.drained)
            let outcome = Interrupt.wait(
                socket: -1, events: 0, interrupts: [session.interruptOfSession, requestsChanged, writer.progress],
                timeout: min(pause, .seconds(1)))
            guard case .interrupted(let index) = outcome else { continue }
            if index == 0 { throw ReceiveError(ConnectionError(.interrupted, "interrupted")) }
            try wake(index - 1)
            if isFinished { return }
        }
    }

    private mutating func take(_ bytes: RawSpan) throws(ReceiveError) {
        let message: WALMessage
        do throws(ProtocolError) { message = try WALMessage(bytes) } catch {
            throw ReceiveError(.protocolViolation, error.message)
        }
        switch message {
        case .data(let start, let serverEnd, let content):
            serverPosition = max(serverPosition, serverEnd)
            if limit != nil {
                let time = now
                limit?.take(content.byteCount, now: time)
            }
            try handle(.data(start: start, count: content.byteCount), content)
        case .keepalive(let serverEnd, let replyRequested):
            serverPosition = max(serverPosition, serverEnd)
            if replyRequested { submit() }
            try handle(.keepalive(replyRequested: replyRequested))
        case .other: break
        }
    }

    /// - Parameter content: The bytes of ``ReceiveMachine/Event/data(start:count:)``; nil for other events.
    private mutating func handle(
        _ event: ReceiveMachine.Event, _ content: RawSpan? = nil
    ) throws(ReceiveError) {
        let actions: [ReceiveMachine.Action]
        do throws(StreamError) { actions = try machine.handle(event, now: now) } catch { throw ReceiveError(error) }
        try perform(actions, content)
    }

    private mutating func perform(_ actions: [ReceiveMachine.Action], _ content: RawSpan?) throws(ReceiveError) {
        var isSynced = false
        for action in actions {
            switch action {
            case .write(let range, let segment, let offset):
                try write(content!.extracting(range), segment, offset)
            case .sync: isSynced = sync()
            case .acknowledge(let status):
                guard !isFinished else { continue }
                let withdraws = machine.withdrawsFlush
                let isSent = try connecting { () throws(ConnectionError) in
                    try session.sendStatus(status, withdrawing: withdraws)
                }
                if isSent {
                    acknowledged = status.flushed
                    reportPositions()
                }
            case .follow(let timeline, let position):
                writer.endTimeline(next: position)
                timelines += 1
                observe(.timelineSwitched(to: timeline, at: position, leaving: ended))
            case .finish:
                isFinished = true
                finishedAt = now
                try connecting { () throws(ConnectionError) in try session.endCopy() }
            // `run` reports this to its caller.
            case .reconnect: mustReconnect = true
            }
        }
        // Only after the actions that report the state before the sync.
        if isSynced {
            try noteReport()
            // The WAL sender often wakes on this very core, and this thread can only wait for it.
            sched_yield()
        }
    }

    private func reportPositions() {
        observe(
            .positions(
                StreamPositions(
                    timeline: machine.timeline, received: machine.received, synced: machine.flushed,
                    acknowledged: acknowledged, server: max(serverPosition, machine.received))))
    }
}

// MARK: - To and from the writer

extension NetworkLoop {
    private mutating func write(_ bytes: RawSpan, _ segment: WALSegmentName, _ offset: Int) throws(ReceiveError) {
        if offset < FirstPageCheck.byteCount { try checkFirstPage(bytes, segment, offset) }
        var rest = bytes, offset = offset
        while rest.byteCount > 0 {
            if piece == nil { piece = WALWriter.Piece(block: try takeBlock(), segment: segment, offset: offset) }
            // Pieces end at the block boundaries of the segment.
            let room = WALWriter.blockSize - offset % WALWriter.blockSize
            let count = piece!.block.append(rest.extracting(..<min(room, rest.byteCount)))
            rest = rest.extracting(count...)
            offset += count
            if offset % WALWriter.blockSize == 0 { submit() }
        }
    }

    private mutating func checkFirstPage(
        _ bytes: RawSpan, _ segment: WALSegmentName, _ offset: Int
    ) throws(ReceiveError) {
        do throws(StreamError) { try pageCheck?.take(bytes, segment, offset) } catch { throw ReceiveError(error) }
    }

    /// - Returns: Whether the sync is already done, and in the report.
    private mutating func sync() -> Bool {
        defer { piece = nil }
        guard machine.isSynchronous, !isFinished, !machine.isLeaving else {
            writer.sync(after: piece)
            return false
        }
        let status = machine.status
        return writer.syncAtOnce(after: piece) { [session] in
            // If the connection is lost, the network thread will notice.
            session.whileLent { _ = try? session.sendStatus(status) }
        }
    }

    private mutating func submit() {
        guard let piece else { return }
        writer.write(piece)
        self.piece = nil
    }

    /// Takes a free block. While the disk holds them all, sends status updates so that the server does not give up.
    private mutating func takeBlock() throws(ReceiveError) -> Block {
        while true {
            if let block = try writer.takeBlock(timeout: .seconds(1)) { return block }
            try noteReport()
            if session.isInterrupted { throw ReceiveError(ConnectionError(.interrupted, "interrupted")) }
            try handle(.tick)
        }
    }

    mutating func noteReport() throws(ReceiveError) {
        let report = writer.report()
        for segment in report.finished { observe(.segmentFinished(segment)) }
        if let failure = report.failure { throw ReceiveError(failure) }
        if (report.stall != nil) != isStalled {
            isStalled = report.stall != nil
            observe(report.stall.map { .stalled($0) } ?? .recovered)
        }
        try endIfStalled()
        // Positions on the previous timeline mean nothing on this one.
        guard report.timelines == timelines else { return }
        if let written = report.written { try handle(.written(written)) }
        if let synced = report.synced { try handle(.synced(synced)) }
        if let settled = report.settled { try handle(.settled(settled)) }
    }
}

extension NetworkLoop {
    /// Ends a stalled stream if the owner wants that. WAL that was not written is not acknowledged either.
    private func endIfStalled() throws(ReceiveError) {
        guard isStalled, wishes().endsWithoutRoom else { return }
        throw ReceiveError(.stoppedWhileStalled, "stopped while there was no room for what the server sent")
    }
}

extension NetworkLoop {
    func connecting<Value>(
        _ body: () throws(ConnectionError) -> Value
    ) throws(ReceiveError) -> Value {
        do throws(ConnectionError) { return try body() } catch { throw ReceiveError(error) }
    }
}
