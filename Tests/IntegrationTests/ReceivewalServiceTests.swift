import Foundation
import Testing
import UnderstudyTestSupport

/// A receiver as a service: what it logs, what it runs, and what its manager hears.
@Suite(.disabled(if: isStock)) struct ReceivewalServiceTests {
    /// A command for finished segments, and what tells it what to do.
    private struct Hook {
        let directory: String
        var log: [String] {
            let text = (try? String(contentsOfFile: "\(directory)/log", encoding: .utf8)) ?? ""
            return text.split(separator: "\n").map(String.init)
        }

        init() throws {
            directory = try TestDirectory.make("hook")
            // As long as there is a file "hold", it waits; with a file "fail", it fails.
            let script = """
                echo "$1" >> '\(directory)/log'
                test "$(basename "$2")" = "$1" && test -f "$2" || { echo "no file $2" >&2; exit 9; }
                while test -e '\(directory)/hold'; do sleep 0.02; done
                test ! -e '\(directory)/fail' || { echo noise >&2; echo 'no room' >&2; exit 3; }
                """
            try TestDirectory.write(script, to: "\(directory)/script")
        }

        var option: String { "--on-segment=/bin/sh '\(directory)/script' %f \"%p\"" }

        func set(_ name: String) throws { try TestDirectory.write("", to: "\(directory)/\(name)") }
        func clear(_ name: String) throws { try FileManager.default.removeItem(atPath: "\(directory)/\(name)") }
    }

    @Test func `a command runs for each finished segment in order, and WAL does not wait for it`() throws {
        let cluster = try Cluster.keepingWAL(.newest), archive = try WALArchive(), hook = try Hook()
        try hook.set("hold")
        let program = try archive.receive(from: cluster, [hook.option, "-Z", "gzip"])
        try cluster.waitForStream(program)
        let first = try cluster.finishSegment()
        try eventually("the first run: \(program.errorOutput)") { hook.log.count == 1 }
        try cluster.finishSegments(20)
        try eventually("all segments: \(program.errorOutput)") { archive.segments.count >= 21 }
        #expect(hook.log == ["\(first).gz"])
        try hook.clear("hold")
        let names = archive.segments
        try eventually("all runs: \(hook.log)") { hook.log.count == names.count }
        #expect(hook.log == names)
        try hook.set("fail")
        let failed = try cluster.finishSegment()
        try program.waitToSay("command of --on-segment failed for \"\(failed).gz\": exit status 3")
        try program.waitToSay("Its last words were: no room")
        // What is finished by the end of the run counts, too.
        try hook.clear("fail")
        let last = try cluster.finishSegment()
        try cluster.waitForFlush(of: try cluster.position(), program)
        let result = program.stop()
        #expect(result.status == 0, "\(result)")
        #expect(hook.log.last == "\(last).gz", "\(result)")
        #expect(!result.errorOutput.contains("no file"), "\(result)")
    }

    @Test func `the history of a new timeline goes before its first segment`() throws {
        let cluster = try Cluster.keepingWAL(.newest), archive = try WALArchive(), hook = try Hook()
        try cluster.stop()
        try TestDirectory.write("", to: "\(cluster.directory)/standby.signal")
        try cluster.start()
        try cluster.sql("SELECT pg_promote()")
        let program = try archive.receive(from: cluster, [hook.option])
        try cluster.waitForStream(program)
        let segments = [try cluster.finishSegment(), try cluster.finishSegment()]
        try eventually("two runs: \(hook.log) \(program.errorOutput)") { hook.log.count == 3 }
        #expect(hook.log == ["00000002.history"] + segments)
        #expect(program.stop().status == 0)
    }

    /// Each line on standard error, as a program reads it.
    private func log(_ text: String) throws -> [[String: Any]] {
        try text.split(separator: "\n").map { line in
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
            #expect(line.hasPrefix(#"{"time":""#) && object["level"] is String && object["event"] is String, "\(line)")
            return object
        }
    }

    @Test func `its log is objects, its manager hears how it is, and it waits for its server`() throws {
        let cluster = try Cluster.keepingWAL(.newest), archive = try WALArchive()
        let manager = try NotifiedSocket()
        try cluster.stop()
        let program = try UnderstudyProgram.start(
            [
                "receivewal", "-d", cluster.connectionString(), "-D", archive.path, "-w", "-v", "--log-format=json",
                "--retry-first",
            ], environment: ["NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "200000"])
        func wait(_ what: String, _ condition: () throws -> Bool) throws {
            try eventually("\(what): \(manager.lines) \(program.errorOutput)") {
                guard program.isRunning else { throw SupportError("ended too early: \(program.wait())") }
                return try condition()
            }
        }
        try wait("ready") { manager.lines.contains("READY=1") }
        try wait("the reason") {
            manager.lines.contains {
                $0.hasPrefix("STATUS=waiting: could not connect")
                    || $0.hasPrefix("STATUS=waiting: connection to server")
            }
        }
        try cluster.start()
        try cluster.waitForStream(program)
        try archive.wait(for: try cluster.finishSegment(), program)
        try wait("streaming") { manager.lines.contains { $0.hasPrefix("STATUS=streaming: received ") } }
        // The server is quiet now.
        let count = manager.lines.count { $0 == "WATCHDOG=1" }
        try wait("signs of life") { manager.lines.count { $0 == "WATCHDOG=1" } >= count + 3 }
        let result = program.stop()
        #expect(result.status == 0, "\(result)")
        #expect(manager.lines.contains("STOPPING=1"), "\(manager.lines)")
        #expect(manager.lines.count { $0 == "READY=1" } == 1)

        let objects = try log(result.errorOutput)
        func object(_ event: String) throws -> [String: Any] {
            try #require(objects.first { $0["event"] as? String == event }, "\(event): \(result)")
        }
        #expect(try object("disconnected")["code"] as? String == "connection")
        #expect(try object("waiting")["seconds"] is Double)
        #expect(try object("connected")["startLSN"] as? String != nil)
        let finished = try object("segment-finished")
        #expect(finished["segment"] as? String == archive.segments.first && finished["timeline"] as? Int == 1)
        #expect(try object("stopping")["signal"] as? String == "SIGTERM")
    }

    @Test(.enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
    func `a full disk is no hang`() throws {
        let cluster = try Cluster.keepingWAL(.newest), manager = try NotifiedSocket(isNamed: true)
        let disk = try MountedFileSystem(.small(bytes: 24 << 20))
        let program = try UnderstudyProgram.start(
            ["receivewal", "-d", cluster.connectionString(), "-D", disk.path, "-w"],
            environment: ["NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "200000"])
        try cluster.waitForStream(program)
        try disk.fillUp()
        // More than the room that was allocated before, and than memory holds.
        try cluster.finishSegments(24)
        try program.waitToSay("No space left on device")
        let count = manager.lines.count { $0 == "WATCHDOG=1" }
        try eventually("signs of life: \(manager.lines)") { manager.lines.count { $0 == "WATCHDOG=1" } >= count + 3 }
        #expect(manager.lines.contains { $0.hasPrefix("STATUS=stalled: ") }, "\(manager.lines)")
        let result = program.stop()
        #expect(result.status == 0, "\(result)")
    }

    @Test func `messages have the time in a file, and not where the stock tool's are wanted`() throws {
        let cluster = try Cluster(.newest)
        let link = "\(try TestDirectory.make("links", mode: 0o755))/pg_receivewal"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: UnderstudyProgram.path)
        let manager = try NotifiedSocket(), end = try cluster.position()
        try cluster.writeWAL(kilobytes: 32)
        for (program, beginning) in [
            ([link], /pg_receivewal: starting/),
            ([UnderstudyProgram.path, "receivewal"], /20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ understudy: starting/),
        ] {
            let archive = try WALArchive()
            let words = program + ["-d", cluster.connectionString(), "-D", archive.path, "-w", "-v", "-E", end]
            // The journal's variable speaks of another file.
            let environment = ["NOTIFY_SOCKET": manager.address, "JOURNAL_STREAM": "1:2"]
            let result = try Program.run(
                words[0], Array(words.dropFirst()),
                environment: UnderstudyProgram.environment.merging(environment) { $1 })
            #expect(result.status == 0, "\(result)")
            #expect(result.errorOutput.prefixMatch(of: beginning) != nil, "\(result)")
            // Whoever calls the stock tool has a manager of its own.
            #expect(manager.lines.contains("READY=1") == (program.count == 2), "\(manager.lines)")
        }
    }

    @Test func `a journal gets the level of each line`() throws {
        let directory = try TestDirectory.make("journal")
        let script = """
            exec 2> '\(directory)/journal'; export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2)
            exec "$0" receivewal -D '\(directory)' -d 'host=/nowhere' -w
            """
        let result = try Program.run(
            "/bin/sh", ["-c", script, UnderstudyProgram.path], environment: UnderstudyProgram.environment)
        #expect(result.status == 1, "\(result)")
        let text = try String(contentsOfFile: "\(directory)/journal", encoding: .utf8)
        #expect(text.hasPrefix("<3>understudy: error: "), "\(text)")
    }

    private static let hasSystemd = (try? String(contentsOfFile: "/proc/1/comm", encoding: .utf8)) == "systemd\n"

    @Test(.enabled(if: hasSystemd && Account.isRoot, "systemd is not the first process here, or not ours"))
    func `systemd sees it start, and what it says`() throws {
        let cluster = try Cluster.keepingWAL(.newest), archive = try WALArchive()
        let unit = "understudy-test-\(getpid())"
        // Returns when the unit is ready.
        try Program.check(
            "/usr/bin/systemd-run",
            [
                "--unit=\(unit)", "--uid=postgres", "-p", "Type=notify", "-p", "WatchdogSec=10",
                UnderstudyProgram.path, "receivewal", "-d", cluster.connectionString(), "-D", archive.path, "-w",
            ], asCaller: true)
        let state = try Program.check(
            "/usr/bin/systemctl", ["show", "-p", "ActiveState", "-p", "StatusText", unit], asCaller: true)
        #expect(state.output.contains("ActiveState=active\n"), "\(state)")
        #expect(state.output.contains("StatusText=streaming"), "\(state)")
        try Program.check("/usr/bin/systemctl", ["stop", unit], asCaller: true)
    }
}
