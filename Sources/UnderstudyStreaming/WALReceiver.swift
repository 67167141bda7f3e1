package import UnderstudyConnection
package import UnderstudyPlatform
package import UnderstudyProtocol
package import UnderstudyWAL

/// Streams WAL from a server into a destination in the background, on a network thread and one that writes.
package final class WALReceiver: Sendable {
    package struct Start: Sendable {
        package var position: LSN
        package var timeline: TimelineID
        package var slot: String?

        package init(position: LSN, timeline: TimelineID, slot: String?) {
            self.position = position
            self.timeline = timeline
            self.slot = slot
        }
    }

    private struct State {
        var stop: LSN?
        var flushLimit: LSN
        var result: Result<Void, ReceiveError>?
    }

    private let state: Monitor<State>
    private let thread = Monitor<OwnThread?>(nil)
    private let requestsChanged = Interrupt()
    private let session: Session
    private let writer: WALWriter
    private let segmentSize: WALSegmentSize
    private let policy: ReceiveMachine.Policy
    private let onFailure: @Sendable () -> Void

    /// - Parameters:
    ///   - session: A replication connection that only the receiver uses from here on.
    ///   - onFailure: Called once, on the network thread, if the stream fails.
    package init(
        session: Session, writer: WALWriter, segmentSize: WALSegmentSize, policy: ReceiveMachine.Policy,
        onFailure: @escaping @Sendable () -> Void
    ) {
        self.session = session
        self.writer = writer
        self.segmentSize = segmentSize
        self.policy = policy
        state = Monitor(State(flushLimit: policy.flushLimit))
        self.onFailure = onFailure
    }

    /// Starts to stream; ``finish(at:)`` or ``abandon()`` must follow.
    ///
    /// - Throws: If no thread can be started; then call neither of them.
    package func start(_ start: Start) throws(FileIOError) {
        let started = try OwnThread("wal receiver") { [self] in
            let outcome = receive(start)
            state.update { $0.result = outcome }
            if case .failure = outcome { onFailure() }
        }
        thread.update { $0 = started }
    }

    /// Limits the flush position that the stream reports: see ``ReceiveMachine/Policy/flushLimit``.
    package func limitFlush(to position: LSN) {
        state.update { $0.flushLimit = position }
        requestsChanged.raise()
    }

    private func receive(_ start: Start) -> Result<Void, ReceiveError> {
        session.takeTurn()
        let writing: WALWriter.Running
        do throws(FileIOError) { writing = try writer.start() } catch {
            return .failure(ReceiveError(WALDestinationError(error)))
        }
        let result = Result { () throws(ReceiveError) in try stream(start) }
        writer.close()
        writing.join()
        // The writer may fail at its end, after the network loop has stopped reading its report.
        if case .success = result, let failure = writer.report().failure { return .failure(ReceiveError(failure)) }
        return result
    }

    /// Ends the stream when everything up to `position` is received and synced, and waits for that.
    package func finish(at position: LSN) throws(ReceiveError) {
        state.update { $0.stop = position }
        requestsChanged.raise()
        try result().get()
    }

    /// Waits for the end of a stream whose session was interrupted.
    ///
    /// - Returns: The error that the stream failed with; nil if it succeeded.
    package func abandon() -> ReceiveError? {
        if case .failure(let error) = result() { return error }
        return nil
    }

    /// The error that the stream has failed with; nil if it has not failed so far.
    package var failure: ReceiveError? {
        if case .failure(let error)? = state.read({ $0.result }) { return error }
        return nil
    }

    private func result() -> Result<Void, ReceiveError> {
        while true {
            // Without a timeout, the wait always returns a value.
            guard let result = state.wait(until: { $0.result }) else { continue }
            thread.read { $0 }?.join()
            return result
        }
    }

    // MARK: - On the network thread

    private func stream(_ start: Start) throws(ReceiveError) {
        if start.timeline.rawValue > 1 {
            let content: [UInt8]
            do throws(ConnectionError) { content = try session.history(of: start.timeline) } catch {
                throw ReceiveError(error)
            }
            writer.putHistory(start.timeline, content)
        }
        // The slot may have advanced over this connection already.
        let held = session.reportedFlushed
        var loop = NetworkLoop(
            session: session, writer: writer,
            machine: ReceiveMachine(
                start: start.position.segmentStart(segmentSize), timeline: start.timeline, segmentSize: segmentSize,
                held: held,
                // A limit that is older than the start would move the slot back, to WAL that a checkpoint under way no
                // longer keeps: it then invalidates the slot.
                reserved: held == .invalid ? start.position : held, policy: policy),
            requestsChanged: requestsChanged,
            requests: { [state] in state.read { StreamRequests(stop: $0.stop, flushLimit: $0.flushLimit) } },
            observe: { _ in })
        _ = try loop.run(slot: start.slot)
    }
}
