/// Calls short functions at their time, all on one thread: for a pause that must not keep a thread, and for what is
/// looked at now and then.
///
/// A function must not wait: those of the whole process are called one after the other.
package final class Timers: Sendable {
    /// Those of this process.
    package static let shared = Timers()

    /// What was asked for; it can be cancelled.
    package final class Ticket: Sendable {
        private let isCancelled = Monitor(false)

        /// From now on the function is not called any more. One call may be under way.
        package func cancel() { isCancelled.change { $0 = true } }

        fileprivate var isValid: Bool { isCancelled.read { !$0 } }
    }

    private struct Entry {
        var time: ContinuousClock.Instant
        var interval: Duration?
        var ticket: Ticket
        var body: @Sendable () -> Void
    }

    private struct State {
        /// The next one is the last.
        var entries: [Entry] = []
        var hasThread = false
        /// Whether there is a new next one.
        var isSooner = false

        mutating func insert(_ entry: Entry) {
            var low = 0, high = entries.count
            while low < high {
                let middle = (low + high) / 2
                if entries[middle].time > entry.time { low = middle + 1 } else { high = middle }
            }
            isSooner = isSooner || low == entries.count
            entries.insert(entry, at: low)
        }
    }

    private enum Step {
        case call(Entry)
        case lookAgain
    }

    private let state = Monitor(State())
    private let clock = ContinuousClock()

    package init() {}

    /// Makes sure that there is a thread.
    ///
    /// - Throws: If none can be started.
    package func start() throws(FileIOError) {
        let result = state.change { state -> Result<Void, FileIOError> in
            guard !state.hasThread else { return .success(()) }
            do throws(FileIOError) {
                // It lives as long as the process, as the timers of the process do.
                _ = try OwnThread("timers") { self.run() }
                state.hasThread = true
                return .success(())
            } catch { return .failure(error) }
        }
        try result.get()
    }

    /// Calls `body` once, after this time. If no thread can be started, as soon as there is one.
    @discardableResult
    package func after(_ time: Duration, _ body: @escaping @Sendable () -> Void) -> Ticket {
        add(time, nil, body)
    }

    /// Calls `body` again and again, at this interval.
    package func every(_ interval: Duration, _ body: @escaping @Sendable () -> Void) -> Ticket {
        add(interval, interval, body)
    }

    private func add(_ time: Duration, _ interval: Duration?, _ body: @escaping @Sendable () -> Void) -> Ticket {
        add(at: clock.now + time, interval, body)
    }

    @discardableResult
    func add(
        at time: ContinuousClock.Instant, _ interval: Duration? = nil, _ body: @escaping @Sendable () -> Void
    ) -> Ticket {
        let ticket = Ticket()
        state.update { $0.insert(Entry(time: time, interval: interval, ticket: ticket, body: body)) }
        try? start()
        return ticket
    }

    private func run() {
        while true {
            let left = state.read { state in state.entries.last.map { max(.zero, $0.time - clock.now) } }
            let step = state.wait(timeout: left) { state -> Step? in
                if let next = state.entries.last, next.time <= self.clock.now {
                    state.entries.removeLast()
                    return .call(next)
                }
                defer { state.isSooner = false }
                return state.isSooner ? .lookAgain : nil
            }
            guard case .call(var entry) = step, entry.ticket.isValid else { continue }
            entry.body()
            guard let interval = entry.interval else { continue }
            entry.time = clock.now + interval
            state.change { [entry] state in state.insert(entry) }
        }
    }
}
