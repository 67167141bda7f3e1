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
        var listeners: [Int: AsyncStream<WALArchiver.Event>.Continuation] = [:]
        var listenerCount = 0
        /// A task that pauses before it tries again to get a thread.
        var pausing: CheckedContinuation<Void, Never>?
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

    /// To ordinary connections.
    let access: QueryAccess

    init(isSynchronous: Bool, access: QueryAccess = QueryAccess()) {
        self.access = access
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

    /// - Returns: False if a stop was requested before.
    func beginStreaming() -> Bool {
        values.update { values in
            if values.stopIsAsked { return false }
            values.isStreaming = true
            return true
        }
    }

    func endStreaming() {
        values.update { values in
            values.isStreaming = false
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

    // MARK: - Status and events

    var status: WALArchiver.Status {
        values.read { values in
            var status = values.status
            status.lag = values.behindSince.map { ContinuousClock.now - $0 } ?? .zero
            return status
        }
    }

    func change(_ body: (inout WALArchiver.Status) -> Void) {
        values.change { values in
            body(&values.status)
            // Before the first acknowledgement, the position at the start counts as safe.
            let status = values.status
            let safe = status.acknowledged == .invalid ? status.received : status.acknowledged
            values.status.lagBytes = safe.distance(to: status.server) ?? 0
            if values.status.lagBytes == 0 {
                values.behindSince = nil
            } else {
                values.behindSince = values.behindSince ?? .now
            }
        }
    }

    /// A sequence of the events from now on; a listener that does not keep up misses the oldest.
    func listen() -> AsyncStream<WALArchiver.Event> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: WALArchiver.Event.self, bufferingPolicy: .bufferingNewest(WALArchiver.bufferedEvents))
        let number = values.update { values -> Int? in
            if values.isOver { return nil }
            values.listenerCount += 1
            values.listeners[values.listenerCount] = continuation
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
        for listener in values.read({ Array($0.listeners.values) }) { listener.yield(event) }
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
            if let error { listener.yield(.failed(error)) }
            listener.finish()
        }
    }
}
