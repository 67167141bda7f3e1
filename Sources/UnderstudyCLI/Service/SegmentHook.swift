import Glibc
import Metrics
import Understudy
import UnderstudyPlatform

/// Runs the command of `--on-segment` for each file that is complete, one after the other, on a thread of its own. WAL never waits
/// for it: see ``HookQueue``. What fails is told, and not tried again.
final class SegmentHook: Sendable {
    private struct State {
        var queue: HookQueue
        var isRunning = false
        var isClosed = false
        /// The timelines whose history file was queued.
        var histories: Set<TimelineID> = []
        /// Made when it starts.
        var metrics: HookMetrics?
    }

    private let command: HookCommand
    private let archive: ReceivewalPlan.Directory
    private let console: Console
    private let state: Monitor<State>
    private let thread = Monitor<OwnThread?>(nil)
    /// Ends the command that runs.
    private let interrupt = Interrupt()

    /// How long the end of a run waits for the command.
    private let patience: Duration
    /// How long after that the command has to end by itself.
    private static let grace = Duration.seconds(1)
    /// The last bytes of its standard error that are looked at.
    private static let errorLimit = 1024
    /// What is ours alone: sd_notify(3), sd_watchdog_enabled(3).
    private static let ownVariables = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]

    init(
        _ command: HookCommand, of archive: ReceivewalPlan.Directory, console: Console,
        limit: Int = 1000, patience: Duration = .seconds(10)
    ) {
        state = Monitor(State(queue: HookQueue(limit: limit)))
        self.patience = patience
        self.command = command
        self.archive = archive
        self.console = console
    }

    /// - Parameter archiver: The name that tells its metrics from those of others.
    func start(for archiver: String) throws(UnderstudyError) {
        let metrics = HookMetrics(archiver)
        state.change { $0.metrics = metrics }
        // A child whose end is ignored leaves no exit status.
        _ = signal(SIGCHLD, SIG_DFL)
        do throws(FileIOError) {
            let started = try OwnThread("segment hook") { self.run() }
            thread.update { $0 = started }
        } catch { throw UnderstudyError(error) }
    }

    /// A segment has its final name. The history file of its timeline goes before the first one, if the archive has it.
    func finished(_ segment: WALSegment) {
        let method = archive.compression.method
        let history = ArchivedHistory(timeline: segment.timeline, compression: method).fileName
        let needsHistory =
            segment.timeline.rawValue > 1 && !state.read { $0.histories.contains(segment.timeline) }
            && (try? ConfinedDirectory(path: archive.path))?.exists(RelativePath(history)) == true
        if needsHistory {
            append(history)
            state.change { _ = $0.histories.insert(segment.timeline) }
        }
        append(name(of: segment))
    }

    /// A segment of which the hook was not told in time, since more events came at once than are kept. Waits for nothing; it is
    /// told with those that are skipped.
    func missed(_ segment: WALSegment) {
        state.change { state in
            _ = state.queue.skip(name(of: segment))
            state.metrics?.skipped.increment()
        }
    }

    private func name(of segment: WALSegment) -> String {
        segment.name + (archive.compression.method?.fileSuffix ?? "")
    }

    private func append(_ name: String) {
        let (outcome, metrics) = state.update { ($0.queue.append(name), $0.metrics) }
        switch outcome {
        case .queued(nil): break
        case .queued(.some(let skipped)): tell(skipped)
        case .stillFull: metrics?.skipped.increment()
        case .full:
            metrics?.skipped.increment()
            let waiting = state.read { $0.queue.limit }
            console.warning(
                "command of --on-segment is behind: it will not be run for \"\(name)\" and those that follow",
                detail: "\(waiting) files wait for it already.",
                facts: MessageFacts(.hookBehind, [("waiting", .integer(Int64(waiting))), ("file", .string(name))]))
        }
    }

    /// Waits for what was queued, for a bounded time, and tells what is left.
    func end() {
        state.update { $0.isClosed = true }
        let hasEnded = state.wait(timeout: patience) { $0.queue.waiting.isEmpty && !$0.isRunning ? true : nil }
        let rest = state.update { state in
            state.metrics?.skipped.increment(by: state.queue.waiting.count)
            return state.queue.takeRest()
        }
        if hasEnded == nil { interrupt.raise() }
        thread.read { $0 }?.join()
        for skipped in rest { tell(skipped) }
    }

    private func tell(_ skipped: HookQueue.Skipped) {
        let (count, first, last) = (skipped.count, skipped.first, skipped.last)
        console.warning(
            "command of --on-segment was not run for "
                + (count == 1 ? "\"\(first)\"" : "\(count) files, from \"\(first)\" to \"\(last)\""),
            hint: "The archive has them; do by hand what the command would have done.",
            facts: MessageFacts(
                .hookSkipped,
                [("count", .integer(Int64(count))), ("first", .string(first)), ("last", .string(last))]))
    }

    // MARK: - On its thread

    private func run() {
        while true {
            let next = state.wait { state -> String?? in
                if let name = state.queue.next() {
                    state.isRunning = true
                    return .some(name)
                }
                return state.isClosed ? .some(nil) : nil
            }
            guard let name = next ?? nil else { return }
            run(for: name)
            state.update { $0.isRunning = false }
        }
    }

    private func run(for name: String) {
        let path = "\(absolutePath(archive.path))/\(name)"
        do throws(FileIOError) {
            let end = try runCommand(
                "/bin/sh", ["-c", command.text(name: name, path: path)], without: Self.ownVariables,
                keeping: Self.errorLimit, interrupt: interrupt, grace: Self.grace)
            if let failure = HookFailure(end) { tell(failure, name, path) }
        } catch {
            tell(HookFailure(message: error.description), name, path)
        }
    }

    private func tell(_ failure: HookFailure, _ name: String, _ path: String) {
        state.read { $0.metrics }?.failures.increment()
        console.warning(
            "command of --on-segment failed for \"\(name)\": \(failure.message)",
            detail: failure.lastLine.map { "Its last words were: \($0)" },
            facts: MessageFacts(
                .hookFailed,
                [
                    ("file", .string(name)), ("path", .string(path)), ("exitStatus", .optional(failure.status)),
                    ("signal", .optional(failure.signal)), ("lastLine", .optional(failure.lastLine)),
                ]))
    }
}

/// Why a run of the command counts as failed.
struct HookFailure: Sendable, Equatable {
    var message: String
    var status: Int?
    var signal: Int?
    /// The last line that it wrote to standard error.
    var lastLine: String?

    init(message: String) {
        self.message = message
    }

    /// Nil if it succeeded.
    init?(_ end: CommandEnd) {
        switch end.status {
        case .exited(0): return nil
        case .exited(let status):
            message = "exit status \(status)"
            self.status = Int(status)
        case .signalled(let number):
            message = "signal \(number) ended it"
            signal = Int(number)
        }
        if end.wasStopped { message = "it was ended, since the run is over" }
        lastLine = end.errors.split(separator: UInt8(ascii: "\n")).last { !$0.allSatisfy { $0 <= 32 } }
            .map { String(decoding: $0, as: UTF8.self) }
    }
}
