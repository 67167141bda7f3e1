import Glibc
package import UnderstudyConnection
package import UnderstudyPlatform
package import UnderstudyProtocol
import UnderstudyWAL

/// The network thread's part of receiving: passes events to the state machine and performs its actions.
package struct NetworkLoop {
    let session: Session
    let writer: WALWriter
    /// Raised when the result of ``requests`` has changed.
    let requestsChanged: Interrupt
    var machine: ReceiveMachine
    let requests: () -> StreamRequests
    let observe: (StreamEvent) -> Void

    private let wakeUps: [Interrupt]
    let clock = ContinuousClock()
    let began: ContinuousClock.Instant
    var limit: RateLimit?
    /// The block that is being filled, and its place in the WAL.
    var piece: WALWriter.Piece?
    /// For the next piece.
    var freeBlock: Block?
    /// Events that follow from actions, in order.
    var followUps: [ReceiveMachine.Event] = []
    var isFinished = false
    /// Whether the stream can continue only over a new connection.
    var mustReconnect = false
    var finishedAt: Duration?
    var timelines = 0
    /// The number of timelines in a row that ended without WAL.
    var emptyTimelines = 0
    /// How far the previous timeline was received.
    var ended = LSN.invalid
    var isStalled = false
    var serverPosition = LSN.invalid
    var acknowledged = LSN.invalid
    /// The end of a piece that was received and not acknowledged yet, and when that was: the piece that is timed.
    var timed: (end: LSN, at: Duration)?
    /// Compares the first page of each segment with the segment's name; nil to skip the check.
    package var pageCheck: FirstPageCheck?
    /// Called for each message of the server.
    package var heard: (() -> Void)?

    /// - Parameters:
    ///   - bytesPerSecond: The rate limit; nil for none.
    ///   - requests: Returns what the owner wants; called again when `requestsChanged` is raised.
    package init(
        session: Session, writer: WALWriter, machine: ReceiveMachine, bytesPerSecond: UInt64? = nil,
        requestsChanged: Interrupt, requests: @escaping () -> StreamRequests, observe: @escaping (StreamEvent) -> Void
    ) {
        self.session = session
        self.writer = writer
        self.requestsChanged = requestsChanged
        wakeUps = [requestsChanged, writer.progress]
        self.machine = machine
        self.requests = requests
        self.observe = observe
        began = clock.now
        limit = bytesPerSecond.map { RateLimit(bytesPerSecond: $0, now: .zero) }
    }

    var now: Duration { clock.now - began }

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
                giveBackFreeBlock()
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
        let requests = self.requests()
        if requests.isUnlimited { limit = nil }
        try endIfStalled()
        try handle(.synchronous(requests.isSynchronous))
        try handle(.flushLimit(requests.flushLimit))
        if let position = requests.stop {
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
            giveBackFreeBlock()
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

    func reportPositions() {
        observe(
            .positions(
                StreamPositions(
                    timeline: machine.timeline, received: machine.received, synced: machine.flushed,
                    acknowledged: acknowledged, server: max(serverPosition, machine.received))))
    }
}

extension NetworkLoop {
    /// Ends a stalled stream if the owner wants that. WAL that was not written is not acknowledged either.
    func endIfStalled() throws(ReceiveError) {
        guard isStalled, requests().endsWithoutRoom else { return }
        throw ReceiveError(.stoppedWhileStalled, "stopped while there was no room for what the server sent")
    }

    func connecting<Value>(
        _ body: () throws(ConnectionError) -> Value
    ) throws(ReceiveError) -> Value {
        do throws(ConnectionError) { return try body() } catch { throw ReceiveError(error) }
    }
}
