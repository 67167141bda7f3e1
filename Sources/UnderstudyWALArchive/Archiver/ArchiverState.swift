import Synchronization
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

/// The state that the threads of an archiver share, and that its owner reads.
final class ArchiverState: Sendable {
    struct Values: Sendable {
        var status = WALArchiver.Status()
        var behindSince: ContinuousClock.Instant?
        /// Where the stream began.
        var start = LSN.invalid
        /// From where on the slot kept WAL when the stream began; invalid if it is not known.
        var reserved = LSN.invalid
        /// Since when nothing has come, though the server has more; nil if it has not.
        var waitsSince: ContinuousClock.Instant?
        /// How far the stream had come then.
        var waitsAt = LSN.invalid
        /// Writes what is received; nil without a stream.
        var writer: WALWriter?
        var gauges: StatusGauges?
        var hasBegun = false
        var stopIsAsked = false
        var isStreaming = false
        var isSynchronous: Bool
        /// Whether it was said that commits wait for a replay that never comes.
        var hasToldReplay = false
        /// Set when the server has invalidated the slot of the stream.
        var slotInvalidation: SlotInvalidation?
        /// Whether the stream is to end because of that.
        var endsWithSlot = false
        var isOver = false
        var listeners: [Int: Listener] = [:]
        var listenerCount = 0
        /// A task that pauses before it tries again to get a thread.
        var pausing: CheckedContinuation<Void, Never>?
    }

    struct Listener: Sendable {
        var continuation: AsyncStream<WALArchiver.Event>.Continuation
        /// Gets an event that the listener misses, on the thread that tells a newer one.
        var missed: @Sendable (WALArchiver.Event) -> Void

        func tell(_ event: WALArchiver.Event) {
            if case .dropped(let oldest) = continuation.yield(event) { missed(oldest) }
        }
    }

    private let values: Monitor<Values>
    /// Interrupts every wait of a session.
    let interrupt = Interrupt.closed()
    /// Raised when ``requests`` has changed.
    let requestsChanged = Interrupt.closed()
    /// Short enough that a signal is obeyed within 10 s, whatever the server does.
    private static let stopLimit = Duration.seconds(8)

    private static let spareDescriptors = 16

    /// How often the network thread has asked for its requests.
    private let beats = Atomic<UInt64>(0)

    private let clock = ContinuousClock()
    private let born: ContinuousClock.Instant
    /// When the server's last message came: nanoseconds after ``born``.
    private let heardAt = Atomic<Int64>(0)

    /// To ordinary connections.
    let access: QueryAccess

    init(isSynchronous: Bool, access: QueryAccess = QueryAccess()) {
        self.access = access
        born = clock.now
        values = Monitor(Values(isSynchronous: isSynchronous))
    }

    /// - Returns: False for all calls but the first.
    func begin() -> Bool {
        let isFirst = values.update { values in
            defer { values.hasBegun = true }
            return !values.hasBegun
        }
        guard isFirst else { return false }
        // Not before, since a program may have many archivers that do not run yet; and not where connections and files need
        // what is left. Without a descriptor a thread that waits looks at a flag instead.
        guard let reserve = try? DescriptorReserve(Self.spareDescriptors, for: "archiver") else { return true }
        reserve.release()
        interrupt.open()
        requestsChanged.open()
        return true
    }

    // MARK: - Requests

    /// Ends the run in order: what was received is synced and acknowledged first. That takes a bounded time.
    func stop() {
        let (isStreaming, isFirst) = values.update { values in
            defer { values.stopIsAsked = true }
            return (values.isStreaming, !values.stopIsAsked)
        }
        requestsChanged.raise()
        if !isStreaming { interrupt.raise() }
        endPause()
        guard isFirst else { return }
        // A server that no longer answers must not block us: everything is synced by then.
        Timers.shared.after(Self.stopLimit) { [self] in
            if values.read({ !$0.isOver }) { interrupt.raise() }
        }
    }

    var stopIsAsked: Bool { values.read { $0.stopIsAsked } }

    var requests: StreamRequests {
        values.read { values in
            StreamRequests(
                stop: values.stopIsAsked || values.endsWithSlot ? .invalid : nil,
                endsWithoutRoom: values.stopIsAsked || values.endsWithSlot, isSynchronous: values.isSynchronous,
                isUnlimited: values.slotInvalidation != nil)
        }
    }

    func setSynchronous(_ isSynchronous: Bool) {
        let hasChanged = values.update { values in
            defer { values.isSynchronous = isSynchronous }
            return values.isSynchronous != isSynchronous
        }
        if hasChanged { requestsChanged.raise() }
    }

    /// - Returns: True at the first call.
    func mayTellReplay() -> Bool {
        values.update { values in
            defer { values.hasToldReplay = true }
            return !values.hasToldReplay
        }
    }

    /// Notes that the server has invalidated the slot of the stream.
    ///
    /// - Parameter senderIsAlive: If true, we end the stream in order. If not, it ends by itself once everything that
    ///   was sent is received. That may be all that is left of that WAL, so the rate limit is lifted.
    func note(_ invalidation: SlotInvalidation, senderIsAlive: Bool) {
        values.change { values in
            values.slotInvalidation = invalidation
            values.endsWithSlot = senderIsAlive
        }
        requestsChanged.raise()
    }

    /// Returns the invalidation that was noted, and clears it.
    ///
    /// - Returns: The invalidation, and whether the stream was to end because of it.
    func takeSlotInvalidation() -> (SlotInvalidation, endsStream: Bool)? {
        values.update { values in
            defer { (values.slotInvalidation, values.endsWithSlot) = (nil, false) }
            return values.slotInvalidation.map { ($0, values.endsWithSlot) }
        }
    }

    /// - Parameters:
    ///   - writer: Writes what is received.
    ///   - start: Where the stream begins.
    ///   - reserved: From where on the slot keeps WAL; nil if it is not known.
    /// - Returns: False if a stop was requested before.
    func beginStreaming(_ writer: WALWriter, from start: LSN, reserved: LSN?) -> Bool {
        hear()
        return values.update { values in
            if values.stopIsAsked { return false }
            values.isStreaming = true
            values.writer = writer
            (values.start, values.reserved) = (start, reserved ?? .invalid)
            return true
        }
    }

    func endStreaming() {
        values.update { values in
            values.isStreaming = false
            values.writer = nil
            values.waitsSince = nil
            values.status.connectedSince = nil
            values.status.segment = nil
        }
    }

    /// Waits before the next attempt; a stop ends the wait.
    func pause(_ time: Duration) {
        _ = values.wait(timeout: time) { $0.stopIsAsked ? true : nil }
    }

    /// The same for a task that has no thread.
    func pauseTask(_ time: Duration) async {
        await withCheckedContinuation { continuation in
            let isOver = values.update { values in
                guard !values.stopIsAsked else { return true }
                values.pausing = continuation
                return false
            }
            if isOver { return continuation.resume() }
            Timers.shared.after(time) { [self] in endPause() }
        }
    }

    private func endPause() {
        values.update { $0.pausing.take() }?.resume()
    }

    // MARK: - Signs of life

    /// Called by the network thread whenever it takes up requests, which waits for no storage.
    func beat() { beats.add(1, ordering: .relaxed) }

    /// Asks the network thread to take up its requests again.
    ///
    /// - Returns: How often it has.
    func pulse() -> UInt64 {
        requestsChanged.raise()
        return beats.load(ordering: .relaxed)
    }

    /// The server has sent a message. Called by the network thread.
    func hear() { heardAt.store((clock.now - born).nanoseconds, ordering: .relaxed) }

    // MARK: - Status and events

    var status: WALArchiver.Status {
        let now = clock.now
        let (found, writer) = values.read { values in
            var status = values.status
            status.lag = values.behindSince.map { now - $0 } ?? .zero
            status.receiptWait = values.waitsSince.map { now - $0 }
            return (status, values.writer)
        }
        var status = found
        status.storageWait = writer?.busySince.map { now - $0 }
        if status.connectedSince != nil { status.silence = silence(now) }
        return status
    }

    private func silence(_ now: ContinuousClock.Instant) -> Duration {
        max(.zero, now - born - .nanoseconds(heardAt.load(ordering: .relaxed)))
    }

    /// Changes the status, and records what follows from it.
    ///
    /// - Returns: ``WALArchiver/Status/lagBytes``.
    @discardableResult
    func change(_ body: (inout WALArchiver.Status) -> Void) -> UInt64 {
        let (lag, gauges) = values.change { values in
            body(&values.status)
            values.noteConsequences()
            return (values.status.lagBytes, values.gauges)
        }
        gauges?.record { values.read { $0.figures } }
        return lag
    }

    /// From now on, the gauges show what the status says.
    func show(in gauges: StatusGauges) {
        values.change { $0.gauges = gauges }
        sampleWaits()
    }

    /// Records how long the archiver has waited for others, which grows though nothing happens.
    func sampleWaits() {
        let status = status
        values.read { $0.gauges }?.record(waits: status)
    }

    /// A sequence of the events from now on; a listener that does not keep up misses the oldest.
    ///
    /// - Parameter missed: Gets those. It must not wait for anything.
    func listen(
        missed: @escaping @Sendable (WALArchiver.Event) -> Void = { _ in }
    ) -> AsyncStream<WALArchiver.Event> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: WALArchiver.Event.self, bufferingPolicy: .bufferingNewest(WALArchiver.bufferedEvents))
        let number = values.update { values -> Int? in
            if values.isOver { return nil }
            values.listenerCount += 1
            values.listeners[values.listenerCount] = Listener(continuation: continuation, missed: missed)
            return values.listenerCount
        }
        guard let number else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            self?.values.change { $0.listeners[number] = nil }
        }
        return stream
    }

    func tell(_ event: WALArchiver.Event) {
        for listener in values.read({ Array($0.listeners.values) }) { listener.tell(event) }
    }

    /// - Parameter error: Why it ends, unless that is in order.
    func end(_ error: UnderstudyError? = nil) {
        let listeners = values.update { values in
            values.isOver = true
            values.status.phase = .stopped
            if let error { values.status.note(error) }
            defer { values.listeners = [:] }
            return Array(values.listeners.values)
        }
        for listener in listeners {
            if let error { listener.tell(.failed(error)) }
            listener.continuation.finish()
        }
    }
}
