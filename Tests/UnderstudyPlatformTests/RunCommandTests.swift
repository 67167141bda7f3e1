import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

@testable import UnderstudyPlatform

@Suite("Commands") struct RunCommandTests {
    private func run(_ command: String, keeping limit: Int = 100, _ interrupt: Interrupt = Interrupt()) throws
        -> CommandEnd
    {
        try runCommand(
            "/bin/sh", ["-c", command], without: ["HOME"], keeping: limit, interrupt: interrupt,
            grace: .milliseconds(1))
    }

    @Test("how it ended is told, with the end of what it wrote to standard error")
    func ends() throws {
        #expect(try run("echo out; echo error >&2") == CommandEnd(status: .exited(0), errors: Array("error\n".utf8)))
        #expect(
            try run("echo 12345 >&2; exit 7", keeping: 3) == CommandEnd(status: .exited(7), errors: Array("45\n".utf8)))
        #expect(try run("kill -9 $$") == CommandEnd(status: .signalled(9)))
        #expect(throws: FileIOError.self) {
            try runCommand("/no/such", [], keeping: 1, interrupt: Interrupt(), grace: .zero)
        }
        // More than a pipe holds.
        #expect(try run("head -c 300000 /dev/zero | tr '\\0' x >&2", keeping: 4).errors == Array("xxxx".utf8))
    }

    @Test("it inherits nothing of ours but the environment")
    func inheritance() throws {
        // Open, and not closed on exec.
        // SAFETY: The string is lent for the call.
        let leaked = unsafe open("/dev/null", O_RDONLY)
        defer { close(leaked) }
        let end = try run(
            """
            ls /proc/self/fd | tr '\\n' ' ' >&2; echo "${HOME-none} ${PATH:+path}" >&2
            streams=$(readlink /proc/$$/fd/0 /proc/$$/fd/1); echo "$streams" >&2; test "$(ps -o pgid= $$)" -eq $$; echo $? >&2
            """, keeping: 1000)
        // The last one is the directory that ls reads.
        #expect(String(decoding: end.errors, as: UTF8.self) == "0 1 2 3 none path\n/dev/null\n/dev/null\n0\n")
    }

    @Test("a pipe whose reader is gone ends it, although we ignore that signal")
    func signals() throws {
        let before = signal(SIGPIPE, SIG_IGN)
        defer { _ = signal(SIGPIPE, before) }
        #expect(try run("(yes; echo $? >&2) | head -n 1 > /dev/null").errors == Array("141\n".utf8))
    }

    @Test("what it leaves in the background is not waited for")
    func background() throws {
        let file = "\(try TestDirectory.make("background"))/pid"
        // Holds the pipe, and writes into it without end.
        let end = try run("yes >&2 & echo $! > '\(file)'")
        #expect(end.status == .exited(0))
        let number = try #require(Int32(try String(contentsOfFile: file, encoding: .utf8).dropLast()))
        kill(number, SIGKILL)
    }

    @Test(
        "an interrupt ends it and what it has started, also where it ignores the first signal",
        arguments: ["", "trap '' TERM; "])
    func interrupt(trap: String) throws {
        let interrupt = Interrupt()
        interrupt.raise()
        let end = try run("\(trap)sleep 1000; sleep 1000", interrupt)
        #expect(end.wasStopped)
        #expect([.signalled(SIGTERM), .signalled(SIGKILL)].contains(end.status), "\(end)")
    }

    @Test("what it has started gets SIGKILL where the program has obeyed the first signal, and its children do not")
    func deafChildren() throws {
        let lock = "\(try TestDirectory.make("group"))/lock"
        // Held for as long as one of them lives.
        let isHeld = { @Sendable () throws -> Bool in
            try Program.run("/usr/bin/flock", ["--nonblock", lock, "true"], asCaller: true).status != 0
        }
        let interrupt = Interrupt()
        let watcher = try OwnThread("watcher") {
            do { try eventually("the lock") { try isHeld() } } catch { Issue.record(error) }
            interrupt.raise()
        }
        let end = try run("(trap '' TERM; exec flock '\(lock)' sleep 1000) & wait", interrupt)
        watcher.join()
        #expect(end.wasStopped && end.status == .signalled(SIGTERM), "\(end)")
        try eventually("the end of all that it has started") { try !isHeld() }
    }
}
