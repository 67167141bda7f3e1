import Glibc
import Understudy
import UnderstudyPlatform

/// The two standard streams of a run. Writing never waits for a reader: text is queued, and written on a separate
/// thread.
///
/// A slow reader receives all text in order as long as less than ``limit`` bytes wait; beyond that the oldest text is
/// dropped, and a line in its place gives the amount; for results it is among the messages, unless these are objects. Text for both streams is written in the order in which it was
/// queued, unless one of them accepts nothing.
final class StandardOutput: Sendable {
    private struct State {
        var queues: [Console.Stream: OutputQueue] = [:]
        /// The number of texts so far.
        var texts = 0
        var isQueueing = false
        /// Whether the lines of standard output are objects.
        var holdsObjects = false
        /// The form of what is among the messages.
        var lines = LogLines()
        /// The number of writes so far.
        var writes = 0
        var isHurried = false

        var isEmpty: Bool { queues.values.allSatisfy(\.isEmpty) }
    }

    private let program: String
    private let state = Monitor(State())
    private let descriptors: [Console.Stream: Int32]
    private let limit: Int

    /// Bytes per stream: some ten thousand lines.
    static let limit = 1 << 20
    /// What a pipe accepts without blocking when poll(2) reports it as writable (PIPE_BUF).
    private static let piece = 4096
    /// How long the end of a run waits for a reader that accepts nothing, without and with a signal.
    private static let silenceLimit = Duration.seconds(3), shortPatience = Duration.milliseconds(200)

    init(
        program: String, output: Int32 = STDOUT_FILENO, errors: Int32 = STDERR_FILENO, limit: Int = StandardOutput.limit
    ) {
        self.program = program
        descriptors = [.output: output, .errors: errors]
        self.limit = limit
    }

    /// Starts to queue. Before this, and if no thread can be created, ``write(_:_:)`` returns only when the text is
    /// written.
    ///
    /// - Parameters:
    ///   - holdsObjects: Whether the lines of standard output are objects.
    ///   - lines: The form of what is said here.
    func startQueue(holdsObjects: Bool = false, lines: LogLines = LogLines()) {
        guard !state.read({ $0.isQueueing }), (try? OwnThread("output") { self.run() }) != nil else { return }
        state.change { ($0.isQueueing, $0.holdsObjects, $0.lines) = (true, holdsObjects, lines) }
    }

    @Sendable func write(_ stream: Console.Stream, _ text: String) {
        let isQueued = state.update { state in
            guard state.isQueueing else { return false }
            state.texts += 1
            state.queues[stream, default: OutputQueue(limit: limit)].append(text, number: state.texts)
            return true
        }
        if !isQueued, let descriptor = descriptors[stream] { StandardStreams.write(text, to: descriptor) }
    }

    /// Waits until all text is written, or until a reader has accepted nothing for a while.
    @Sendable func drain() {
        let clock = ContinuousClock()
        var seen = state.read { $0.writes }, since = clock.now
        while true {
            let (isDone, writes, isHurried) = state.read { ($0.isEmpty, $0.writes, $0.isHurried) }
            if writes != seen { (seen, since) = (writes, clock.now) }
            let deadline = since + (isHurried ? Self.shortPatience : Self.silenceLimit)
            if isDone || clock.now >= deadline { return }
            // The writing thread wakes this wait often: the time counts from the last write.
            _ = state.wait(timeout: deadline - clock.now) { state in
                let isNews = state.isEmpty || state.writes != seen || state.isHurried != isHurried
                return isNews || clock.now >= deadline ? true : nil
            }
        }
    }

    /// Makes ``drain()`` wait less for a reader that accepts nothing.
    @Sendable func hurry() {
        state.update { $0.isHurried = true }
    }

    // MARK: - On the writing thread

    /// Never returns; ends with the process.
    private func run() {
        while true {
            let streams = state.wait { state -> [Console.Stream]? in
                let waiting = state.queues.compactMap { stream, queue in queue.number.map { (stream, $0) } }
                return waiting.isEmpty ? nil : waiting.sorted { $0.1 < $1.1 }.map(\.0)
            }
            guard let streams, let stream = writable(streams), let descriptor = descriptors[stream] else { continue }
            let bytes = state.change { state in Self.next(stream, &state, program) }
            // The address and the count are those of the same bytes, which outlive the call.
            let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            let isGone = count < 0 && errno != EINTR && errno != EAGAIN
            guard count > 0 || isGone else { continue }
            state.update { state in
                state.writes += 1
                // The reader is gone, and there is nobody to report it to.
                if isGone { state.queues[stream] = nil } else { state.queues[stream]?.remove(count) }
            }
        }
    }

    private static func next(_ stream: Console.Stream, _ state: inout State, _ program: String) -> ArraySlice<UInt8> {
        var lostOutput = 0
        let (holdsObjects, lines) = (state.holdsObjects, state.lines)
        func warning(_ message: String, _ count: Int) -> String {
            let facts = MessageFacts(.messagesDropped, [("count", .integer(Int64(count)))])
            return lines.text(
                "\(program): warning: \(message)", .message(.warning, message, facts: facts), at: .now)
        }
        let bytes = state.queues[stream]?.next(atMost: piece) { count in
            guard stream == .errors else {
                lostOutput = count
                // A program that reads other results would take the notice for a result.
                guard holdsObjects else { return nil }
                let message = "nobody read standard output, and \(count) objects were dropped here"
                return JSONObject.message(.warning, message).text(at: .now) + "\n"
            }
            return warning("nobody read standard error, and \(count) messages were dropped here", count)
        }
        if lostOutput > 0 {
            state.texts += 1
            state.queues[.errors, default: OutputQueue(limit: limit)].append(
                warning("nobody read standard output, and \(lostOutput) lines of it were dropped", lostOutput),
                number: state.texts)
        }
        return bytes ?? []
    }

    /// The first stream that accepts text now; nil if none does within a short wait.
    private func writable(_ streams: [Console.Stream]) -> Console.Stream? {
        var polls = streams.map { pollfd(fd: descriptors[$0] ?? -1, events: Int16(POLLOUT), revents: 0) }
        // poll gets the array with its count.
        guard unsafe poll(&polls, nfds_t(polls.count), 100) > 0 else { return nil }
        return zip(streams, polls).first { $0.1.revents != 0 }?.0
    }
}
