import Glibc
import UnderstudyConnection
import UnderstudyFileIO
import UnderstudyProtocol
import UnderstudyWAL

/// The network thread's part of receiving: feeds the machine, and does what it says.
struct NetworkLoop {
    let session: Session
    let writer: WALWriter
    let stopAsked: Interrupt
    var machine: ReceiveMachine
    let stopPosition: () -> LSN?

    private let clock = ContinuousClock()
    private let began: ContinuousClock.Instant
    /// The block that is being filled, and where it belongs.
    private var piece: WALWriter.Piece?
    private var isFinished = false
    private var follow: ReceiveMachine.Action?

    init(
        session: Session, writer: WALWriter, stopAsked: Interrupt, machine: ReceiveMachine,
        stopPosition: @escaping () -> LSN?
    ) {
        self.session = session
        self.writer = writer
        self.stopAsked = stopAsked
        self.machine = machine
        self.stopPosition = stopPosition
        began = clock.now
    }

    private var now: Duration { clock.now - began }

    /// Streams one timeline after the other until the stop.
    mutating func run(slot: String?) throws(ReceiveError) {
        if machine.timeline.rawValue > 1 { try fetchHistory(machine.timeline) }
        while true {
            follow = nil
            try streamTimeline(slot: slot)
            guard case .follow(let timeline, _)? = follow else { return }
            try fetchHistory(timeline)
        }
    }

    private mutating func streamTimeline(slot: String?) throws(ReceiveError) {
        try connecting { () throws(ConnectionError) in
            try session.send(
                ReplicationCommand.startReplication(slot: slot, from: machine.received, timeline: machine.timeline))
        }
        var reply = try connecting { () throws(ConnectionError) in try session.nextResult() }
        if case .copyBoth = reply {
            try perform(machine.handle(.tick, now: now), nil)
            try receive()
            reply = try connecting { () throws(ConnectionError) in try session.nextResult() }
            if reply == .copyIn {
                reply = try connecting { () throws(ConnectionError) in
                    try session.endCopy()
                    return try session.nextResult()
                }
            }
        }
        var next: NextTimeline?
        while reply != .none {
            if case .rows(let rows) = reply {
                do throws(ProtocolError) { next = try NextTimeline(rows) } catch {
                    throw ReceiveError(.protocolViolation, error.message)
                }
            }
            let isOver = reply == .command
            do throws(ConnectionError) { reply = try session.nextResult() } catch  where isOver && error.code == .lost {
                // A server that shuts down ends the command, and then the connection.
                break
            } catch { throw ReceiveError(error) }
        }
        if isFinished { return }
        guard let next else {
            throw ReceiveError(
                .endedEarly, "server ended the WAL stream at \(machine.received), before the backup was complete")
        }
        try perform(machine.handle(.endOfTimeline(next), now: now), nil)
    }

    /// Takes messages until the copy is over in both directions.
    private mutating func receive() throws(ReceiveError) {
        while true {
            let hasUnwritten = piece != nil
            let step = try session.takeCopyData(
                timeout: hasUnwritten ? .zero : machine.nextTick(now: now), wakeUps: [stopAsked, writer.progress],
                failure: ReceiveError.init
            ) { bytes throws(ReceiveError) in try take(bytes) }
            switch step {
            case .data: break
            case .timedOut:
                submit()
                try perform(machine.handle(.drained, now: now), nil)
            case .woken(0):
                stopAsked.clear()
                if let position = stopPosition() {
                    try perform(machine.handle(.stop(at: position), now: now), nil)
                }
            case .woken:
                writer.progress.clear()
                try noteSynced()
            case .ended: return
            }
        }
    }

    private mutating func take(_ bytes: RawSpan) throws(ReceiveError) {
        let message: WALMessage
        do throws(ProtocolError) { message = try WALMessage(bytes) } catch {
            throw ReceiveError(.protocolViolation, error.message)
        }
        switch message {
        case .data(let start, _, let content):
            try perform(machine.handle(.data(start: start, count: content.byteCount), now: now), content)
        case .keepalive(_, let replyRequested):
            try perform(machine.handle(.keepalive(replyRequested: replyRequested), now: now), nil)
        case .other: break
        }
    }

    private mutating func perform(_ actions: [ReceiveMachine.Action], _ content: RawSpan?) throws(ReceiveError) {
        for action in actions {
            switch action {
            case .write(let range, let segment, let offset):
                try write(content!.extracting(range), segment, offset)
            case .sync:
                submit()
                writer.sync(upTo: machine.received)
            case .acknowledge(let status):
                guard !isFinished else { continue }
                let bytes = status.encoded(microseconds: Self.microsecondsSince2000())
                try connecting { () throws(ConnectionError) in try session.sendCopyData(bytes) }
            case .follow:
                follow = action
            case .finish:
                isFinished = true
                try connecting { () throws(ConnectionError) in try session.endCopy() }
            }
        }
    }

    // MARK: - To the writer

    private mutating func write(_ bytes: RawSpan, _ segment: WALSegmentName, _ offset: Int) throws(ReceiveError) {
        var rest = bytes, offset = offset
        while rest.byteCount > 0 {
            if piece == nil { piece = WALWriter.Piece(block: try takeBlock(), segment: segment, offset: offset) }
            let count = piece!.block.append(rest)
            rest = rest.extracting(count...)
            offset += count
            if piece!.block.room == 0 || offset == Int(segment.size.bytes) { submit() }
        }
    }

    private mutating func submit() {
        guard let piece else { return }
        writer.write(piece)
        self.piece = nil
    }

    /// A free block. While the disk holds them all, the server hears from us so that it does not give up.
    private mutating func takeBlock() throws(ReceiveError) -> Block {
        while true {
            if let block = writer.takeBlock(timeout: .seconds(1)) { return block }
            try noteSynced()
            if session.isInterrupted { throw ReceiveError(ConnectionError(.interrupted, "interrupted")) }
            try perform(machine.handle(.tick, now: now), nil)
        }
    }

    private mutating func noteSynced() throws(ReceiveError) {
        let synced: LSN
        do throws(FileIOError) { synced = try writer.synced() } catch { throw ReceiveError(error) }
        if synced > .invalid { try perform(machine.handle(.synced(synced), now: now), nil) }
    }

    // MARK: - Other commands

    private mutating func fetchHistory(_ timeline: TimelineID) throws(ReceiveError) {
        let row = try connecting { () throws(ConnectionError) in
            try session.runForBytes(ReplicationCommand.timelineHistory(timeline))
        }
        guard row.count >= 2, row[0] == Array(timeline.historyFileName.utf8), let content = row[1] else {
            throw ReceiveError(.protocolViolation, "unexpected answer to TIMELINE_HISTORY \(timeline)")
        }
        writer.putHistory(timeline.historyFileName, content)
    }

    private func connecting<Value>(
        _ body: () throws(ConnectionError) -> Value
    ) throws(ReceiveError) -> Value {
        do throws(ConnectionError) { return try body() } catch { throw ReceiveError(error) }
    }

    private static func microsecondsSince2000() -> Int64 {
        var time = timespec()
        // clock_gettime fills the struct.
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return (Int64(time.tv_sec) - 946_684_800) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
