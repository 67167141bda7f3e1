import Glibc
import UnderstudyConnection
import UnderstudyProtocol
import UnderstudyWAL

// Messages become events of the machine, and the machine's actions are performed here. No action waits, and none passes
// another event to the machine: what follows from an action is queued until all actions of its event are done.

extension NetworkLoop {
    mutating func take(_ bytes: RawSpan) throws(ReceiveError) {
        let message: WALMessage
        do throws(ProtocolError) { message = try WALMessage(bytes) } catch {
            throw ReceiveError(.protocolViolation, error.message)
        }
        heard?()
        switch message {
        case .data(let start, let serverEnd, let content):
            serverPosition = max(serverPosition, serverEnd)
            if limit != nil {
                let time = now
                limit?.take(content.byteCount, now: time)
            }
            try takeWAL(content, from: start)
        case .keepalive(let serverEnd, let replyRequested):
            serverPosition = max(serverPosition, serverEnd)
            if replyRequested { submit() }
            try handle(.keepalive(replyRequested: replyRequested))
        case .other: break
        }
    }

    /// Passes WAL to the machine in parts that end at block boundaries, each once there is a block for it.
    private mutating func takeWAL(_ content: RawSpan, from start: LSN) throws(ReceiveError) {
        var rest = content, position = start
        repeat {
            let room = WALWriter.blockSize - Int(position.rawValue % UInt64(WALWriter.blockSize))
            let part = rest.extracting(..<min(room, rest.byteCount))
            // What comes after the stop is not written, and must not wait for the disk.
            if !machine.isStopping { try awaitBlock() }
            try handle(.data(start: position, count: part.byteCount), part)
            rest = rest.extracting(part.byteCount...)
            // A part that would pass the last position was refused.
            position = LSN(rawValue: position.rawValue &+ UInt64(part.byteCount))
        } while rest.byteCount > 0
    }

    /// - Parameter content: The bytes of ``ReceiveMachine/Event/data(start:count:)``; nil for other events.
    mutating func handle(_ event: ReceiveMachine.Event, _ content: RawSpan? = nil) throws(ReceiveError) {
        let hasSynced = try perform(actions(for: event), content)
        if hasSynced { try queueReport() }
        try handleFollowUps()
        // The WAL sender often wakes on this very core, and this thread can only wait for it.
        if hasSynced { sched_yield() }
    }

    mutating func handleFollowUps() throws(ReceiveError) {
        while !followUps.isEmpty {
            if try perform(actions(for: followUps.removeFirst()), nil) { try queueReport() }
        }
    }

    private mutating func actions(for event: ReceiveMachine.Event) throws(ReceiveError) -> [ReceiveMachine.Action] {
        let time = now
        if timed == nil, case .data(let start, let count) = event {
            timed = (LSN(rawValue: start.rawValue &+ UInt64(count)), time)
        }
        do throws(StreamError) { return try machine.handle(event, now: time) } catch { throw ReceiveError(error) }
    }

    /// - Returns: Whether a sync was done at once, so that the report must be read. That is for the caller, because the
    ///   other actions report the state before the sync.
    private mutating func perform(
        _ actions: [ReceiveMachine.Action], _ content: RawSpan?
    ) throws(ReceiveError) -> Bool {
        var isSynced = false
        for action in actions {
            switch action {
            case .write(let range, let segment, let offset):
                try write(content!.extracting(range), segment, offset)
            case .sync: isSynced = sync()
            case .acknowledge(let status): try acknowledge(status)
            case .follow(let timeline, let position):
                writer.endTimeline(next: position)
                timelines += 1
                // Positions on the previous timeline mean nothing on this one.
                followUps = []
                timed = nil
                observe(.timelineSwitched(to: timeline, at: position, leaving: ended))
            case .finish:
                isFinished = true
                finishedAt = now
                try connecting { () throws(ConnectionError) in try session.endCopy() }
            // `run` reports this to its caller.
            case .reconnect: mustReconnect = true
            }
        }
        return isSynced
    }

    private mutating func acknowledge(_ status: StandbyStatus) throws(ReceiveError) {
        guard !isFinished else { return }
        let withdraws = machine.withdrawsFlush
        let isSent = try connecting { () throws(ConnectionError) in
            try session.sendStatus(status, withdrawing: withdraws)
        }
        guard isSent else { return }
        acknowledged = status.flushed
        if let (end, received) = timed, status.flushed >= end {
            timed = nil
            observe(.acknowledged(after: now - received))
        }
        reportPositions()
    }
}
