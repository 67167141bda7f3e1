import Metrics
import Testing
import Understudy
import UnderstudyPlatform

@testable import UnderstudyCLI

@Suite("The command for finished segments")
struct HookTests {
    @Test(
        "name and path are put in as they are",
        arguments: [
            ("store %p", "store /srv/wal/0A"), ("a %f%%b '%p'", "a 0A%b '/srv/wal/0A'"), ("%f", "0A"), ("x", "x"),
            ("%%f", "%f"),
        ])
    func places(command: String, text: String) throws {
        #expect(try HookCommand.parse(command).text(name: "0A", path: "/srv/wal/0A") == text)
    }

    @Test("what has no meaning is refused", arguments: ["", " \n", "a %x", "50%", "%%%"])
    func flaws(command: String) {
        #expect(throws: UsageError.self) { try HookCommand.parse(command) }
    }

    @Test("while the queue is full, files are skipped and counted")
    func queue() {
        var queue = HookQueue(limit: 4)
        let names = (0..<4).map { "f\($0)" }
        for name in names { #expect(queue.append(name) == .queued(after: nil)) }
        #expect(queue.append("a") == .full)
        #expect(queue.append("b") == .stillFull)
        #expect(queue.append("c") == .stillFull)
        #expect(queue.next() == "f0")
        var skipped = HookQueue.Skipped("a")
        (skipped.count, skipped.last) = (3, "c")
        #expect(queue.append("d") == .queued(after: skipped))
        #expect(queue.append("e") == .full)
        #expect(queue.takeRest() == [HookQueue.Skipped(names.dropFirst() + ["d"]), HookQueue.Skipped("e")])
        #expect(queue.next() == nil && queue.takeRest().isEmpty)
    }

    @Test("an end counts as failed unless the status is 0, with the last line that says something")
    func failures() {
        #expect(HookFailure(CommandEnd(status: .exited(0), errors: Array("warning\n".utf8))) == nil)
        let failure = HookFailure(CommandEnd(status: .exited(3), errors: Array("one\nno room\n \n".utf8)))
        #expect(failure?.message == "exit status 3" && failure?.status == 3 && failure?.signal == nil)
        #expect(failure?.lastLine == "no room")
        let killed = HookFailure(CommandEnd(status: .signalled(9)))
        #expect(killed?.message == "signal 9 ended it" && killed?.signal == 9 && killed?.lastLine == nil)
        let stopped = HookFailure(CommandEnd(status: .exited(143), wasStopped: true))
        #expect(stopped?.message == "it was ended, since the run is over")
    }

    private static let archive = ReceivewalPlan.Directory(path: "/nowhere", compression: .none, sync: true)

    private func segment(_ number: UInt64) -> WALSegment {
        let size = WALSegmentSize(bytes: 1 << 20)!
        return WALSegment(WALSegmentName(timeline: TimelineID(rawValue: 1), number: number, size: size)!)
    }

    @Test("that files were skipped is told at once, and again with their names when there is room")
    func skipped() throws {
        let recorder = Recorder()
        // Not started yet: nothing is taken out.
        let hook = SegmentHook(try .parse("true"), of: Self.archive, console: recorder.console(), limit: 2)
        for number in 1...5 as ClosedRange<UInt64> { hook.finished(segment(number)) }
        #expect(
            recorder.errors == """
                pg_basebackup: warning: command of --on-segment is behind: it will not be run for "000000010000000000000003" and those that follow
                pg_basebackup: detail: 2 files wait for it already.

                """)
        try hook.start(for: "a")
        hook.end()
        #expect(
            recorder.errors.contains(
                "was not run for 3 files, from \"000000010000000000000003\" to \"000000010000000000000005\"\n"))
        #expect(!recorder.errors.contains("failed"))
    }

    @Test("segments that it was not told of in time are named, and counted with those for which there was no room")
    func missed() throws {
        let recorder = Recorder(), metrics = PrometheusMetrics(help: HookMetrics.help)
        try withMetricsFactory(metrics) {
            let hook = SegmentHook(try .parse("exit 3"), of: Self.archive, console: recorder.console(), limit: 1)
            for number in 1...3 as ClosedRange<UInt64> { hook.missed(segment(number)) }
            #expect(recorder.errors == "")
            try hook.start(for: "here")
            hook.missed(segment(4))
            hook.finished(segment(5))
            hook.end()
        }
        #expect(
            recorder.errors.contains(
                "was not run for 4 files, from \"000000010000000000000001\" to \"000000010000000000000004\"\n"))
        #expect(recorder.errors.contains("failed for \"000000010000000000000005\": exit status 3"))
        let text = metrics.text
        #expect(text.contains("# HELP understudy_hook_failures_total "), "\(text)")
        #expect(text.contains("understudy_hook_failures_total{archiver=\"here\"} 1\n"), "\(text)")
        // Those before the start are counted by nobody: there are none.
        #expect(text.contains("understudy_hook_skipped_files_total{archiver=\"here\"} 1\n"), "\(text)")
    }

    @Test("at the end, who does not end in time is ended, and what waited is told")
    func end() throws {
        let recorder = Recorder()
        let hook = SegmentHook(
            try .parse("trap '' TERM; sleep 1000"), of: Self.archive, console: recorder.console(),
            patience: .milliseconds(1))
        try hook.start(for: "a")
        for number in 1...3 as ClosedRange<UInt64> { hook.finished(segment(number)) }
        hook.end()
        // The first one may not even have begun.
        #expect(
            recorder.errors.contains("from \"000000010000000000000001\" to \"000000010000000000000003\"")
                || recorder.errors.contains("from \"000000010000000000000002\" to \"000000010000000000000003\"")
                    && recorder.errors.contains("it was ended, since the run is over")
        )
    }
}
