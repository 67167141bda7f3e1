public import Logging
import UnderstudyConnection
public import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
public import UnderstudyWAL

/// WAL as a sequence of messages, for programs that need more than a destination: one connection, one timeline, nothing
/// written, and nothing acknowledged except by ``acknowledge(_:)``.
///
/// ```swift
/// let stream = try await WALStream.connect(
///     source: "host=db1 user=archiver", from: WALPosition(timeline: 1, lsn: start))
/// for try await message in stream {
///     guard case .data(let start, let bytes, _) = message else { continue }
///     try await store(bytes, at: start)
///     stream.acknowledge(LSN(rawValue: start.rawValue + UInt64(bytes.count)))
/// }
/// ```
///
/// The sequence has one iterator. Its buffer is bounded: when it is full, the server waits, and status updates keep the
/// connection alive. It ends when the server ends the timeline (``next`` is where the next one begins) or shuts down,
/// and throws an ``UnderstudyError`` when the connection is lost. Leaving the loop ends the connection.
///
/// Source: the server command START_REPLICATION; libpq's PQgetCopyData.
public final class WALStream: AsyncSequence, Sendable {
    /// What a server sends in a stream.
    @nonexhaustive
    public enum Message: Sendable, Equatable {
        /// WAL that begins at `start`; `serverEnd` is the end of the server's own WAL.
        case data(start: LSN, bytes: [UInt8], serverEnd: LSN)
        /// Sent when there is no WAL; `serverEnd` is the end of the server's own WAL.
        case keepalive(serverEnd: LSN)
    }

    private enum Ending: Sendable {
        case finished
        case failed(UnderstudyError)
    }

    private struct State: Sendable {
        var messages: [Message] = []
        var bytes = 0
        var acknowledged = LSN.invalid
        var ending: Ending?
        var next: WALPosition?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Monitor(State())
    private let thread = Monitor<OwnThread?>(nil)
    private let interrupt = Interrupt()
    /// Raised when there is something to acknowledge, or room in the buffer again.
    private let wakeUp = Interrupt()
    private static let bufferedBytes = 4 << 20
    /// How many bytes a message counts besides its WAL: a server may send only keepalives.
    private static let messageOverhead = 64

    private init() {}

    deinit {
        interrupt.raise()
    }

    /// Connects and starts to stream.
    ///
    /// - Parameters:
    ///   - source: A libpq connection string.
    ///   - start: The position and the timeline to begin with.
    ///   - slot: An existing physical slot, or nil.
    public static func connect(
        source: ConnectionString, from start: WALPosition, slot: String? = nil,
        logger: Logger = .silent
    ) async throws(UnderstudyError) -> WALStream {
        let stream = WALStream()
        let pump = Pump(stream.interrupt, stream.wakeUp)
        try await OwnThread.run("wal connect", interrupt: stream.interrupt, failure: { UnderstudyError($0) }) {
            () throws(UnderstudyError) in
            try pump.connect(
                try ConnectionParameters(reading: source), start, slot, logger)
        }
        let state = stream.state
        let receive: @Sendable () -> Void = {
            let ending: Ending
            do throws(UnderstudyError) {
                let next = try pump.run(
                    acknowledged: { state.read { $0.acknowledged } },
                    hasRoom: { state.read { $0.bytes < Self.bufferedBytes } },
                    take: { message, size in
                        Self.resume(state) { state in
                            state.messages.append(message)
                            state.bytes += size + Self.messageOverhead
                        }
                    })
                state.update { $0.next = next }
                ending = .finished
            } catch { ending = .failed(error) }
            Self.resume(state) { $0.ending = ending }
        }
        do throws(FileIOError) {
            let started = try OwnThread("wal stream", receive)
            stream.thread.update { $0 = started }
        } catch { throw UnderstudyError(error) }
        return stream
    }

    /// Tells the server that everything before this position is on stable storage here. What is reported never goes
    /// back, and never beyond what was received.
    public func acknowledge(_ position: LSN) {
        state.update { $0.acknowledged = Swift.max($0.acknowledged, position) }
        wakeUp.raise()
    }

    /// Where the server's next timeline begins, once the sequence has ended because its timeline did.
    public var next: WALPosition? { state.read { $0.next } }

    private static func resume(_ state: Monitor<State>, _ change: (inout State) -> Void) {
        let waiter = state.update { state -> CheckedContinuation<Void, Never>? in
            change(&state)
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    // MARK: - Iteration

    public func makeAsyncIterator() -> Iterator { Iterator(stream: self) }

    /// Hands out the messages in the order in which they arrive; nil once the stream has ended.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let stream: WALStream
        private var batch: [Message].SubSequence = []

        fileprivate init(stream: WALStream) {
            self.stream = stream
        }

        public mutating func next() async throws(UnderstudyError) -> Message? {
            while true {
                if let message = batch.popFirst() { return message }
                let (messages, ending) = stream.takeBatch()
                batch = messages[...]
                guard messages.isEmpty else { continue }
                switch ending {
                case .finished: return nil
                case .failed(let error): throw error
                case nil: await stream.waitForMore()
                }
            }
        }
    }

    private func takeBatch() -> ([Message], Ending?) {
        let (messages, ending) = state.update { state in
            defer {
                state.messages = []
                state.bytes = 0
            }
            return (state.messages, state.ending)
        }
        if !messages.isEmpty { wakeUp.raise() }
        // Does not block for long: there is nothing left for the thread to do.
        if ending != nil { thread.read { $0 }?.join() }
        return (messages, ending)
    }

    private func waitForMore() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.update { state in
                    if !state.messages.isEmpty || state.ending != nil { return true }
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            // The thread then ends the sequence with an error.
            interrupt.raise()
        }
    }
}

/// The network side of a stream. Used by one thread at a time.
private final class Pump: @unchecked Sendable {
    // Sendable: created and connected before the thread that runs it is started.
    private let interrupt: Interrupt
    private let wakeUp: Interrupt
    private var session: Session?
    private var position = WALPosition(timeline: TimelineID(rawValue: 1), lsn: .invalid)
    private var start = LSN.invalid
    private let clock = ContinuousClock()
    private static let statusInterval = Duration.seconds(10)

    init(_ interrupt: Interrupt, _ wakeUp: Interrupt) {
        self.interrupt = interrupt
        self.wakeUp = wakeUp
    }

    func connect(
        _ parameters: ConnectionParameters, _ start: WALPosition, _ slot: String?, _ logger: Logger
    ) throws(UnderstudyError) {
        position = start
        self.start = start.lsn
        do throws(ConnectionError) {
            let session = try Session.connect(
                parameters, kind: .replication, applicationName: "understudy", interrupt: interrupt,
                silenceLimit: .seconds(300), notices: logger.passingOn())
            try session.startReplication(slot: slot, from: start.lsn, timeline: start.timeline)
            self.session = session
        } catch { throw UnderstudyError(error) }
        guard try nextResult() == .copyBoth else {
            throw UnderstudyError(.protocolViolation, "unexpected answer to START_REPLICATION")
        }
    }

    /// - Returns: The next timeline, if this one has ended.
    func run(
        acknowledged: () -> LSN, hasRoom: () -> Bool, take: (WALStream.Message, Int) -> Void
    ) throws(UnderstudyError) -> WALPosition? {
        guard let session else { return nil }
        session.takeTurn()
        var told = LSN.invalid, lastStatus = clock.now - Self.statusInterval
        while true {
            let flushed = acknowledged()
            if flushed > told || clock.now - lastStatus >= Self.statusInterval {
                try send(flushed)
                told = flushed
                lastStatus = clock.now
            }
            guard hasRoom() else {
                let outcome = Interrupt.wait(
                    socket: -1, events: 0, interrupts: [interrupt, wakeUp], timeout: .seconds(1))
                if outcome == .interrupted(0) { throw UnderstudyError(.cancelled, "the WAL stream was cancelled") }
                if outcome == .interrupted(1) { wakeUp.clear() }
                continue
            }
            var asks = false
            let step = try session.takeCopyData(
                timeout: max(.zero, Self.statusInterval - (clock.now - lastStatus)), wakeUps: [wakeUp],
                failure: { UnderstudyError($0) }
            ) { bytes throws(UnderstudyError) in
                guard let (message, size, needsReply) = try decode(bytes) else { return }
                asks = needsReply
                take(message, size)
            }
            if asks { lastStatus = clock.now - Self.statusInterval }
            if step == .woken(0) { wakeUp.clear() }
            if step == .ended { return try end() }
        }
    }

    private func decode(_ bytes: RawSpan) throws(UnderstudyError) -> (WALStream.Message, Int, Bool)? {
        let message: WALMessage
        do throws(ProtocolError) { message = try WALMessage(bytes) } catch { throw UnderstudyError(error) }
        switch message {
        case .data(let start, let serverEnd, let content):
            guard start == position.lsn else {
                throw UnderstudyError(.protocolViolation, "server sent WAL from \(start), expected \(position.lsn)")
            }
            position.lsn = LSN(rawValue: start.rawValue &+ UInt64(content.byteCount))
            // The bytes are valid only during the call, and a program may keep the message, so they are copied.
            let copy = unsafe content.withUnsafeBytes { unsafe [UInt8]($0) }
            return (.data(start: start, bytes: copy, serverEnd: serverEnd), copy.count, false)
        case .keepalive(let serverEnd, let replyRequested): return (.keepalive(serverEnd: serverEnd), 0, replyRequested)
        case .other: return nil
        }
    }

    /// Sends a status update. Nothing is written here: only what the program acknowledges is known to survive.
    private func send(_ acknowledged: LSN) throws(UnderstudyError) {
        let held = min(acknowledged, position.lsn)
        let status = StandbyStatus(written: max(start, held), flushed: held)
        do throws(ConnectionError) { try session?.sendStatus(status) } catch { throw UnderstudyError(error) }
    }

    private func end() throws(UnderstudyError) -> WALPosition? {
        do throws(ConnectionError) {
            return try session?.endReplication().map { WALPosition(timeline: $0.timeline, lsn: $0.position) }
        } catch { throw UnderstudyError(error) }
    }

    private func nextResult() throws(UnderstudyError) -> Session.Reply<ResultSet> {
        guard let session else { return .none }
        do throws(ConnectionError) { return try session.nextResult() } catch { throw UnderstudyError(error) }
    }
}
