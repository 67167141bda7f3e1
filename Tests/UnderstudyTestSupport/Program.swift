import Foundation
import Glibc
import Synchronization

/// How a program ended, and what it said.
package struct ProgramResult: CustomStringConvertible, Sendable {
    package var command: String
    /// The exit status, or 128 plus the signal that ended it, as the shell tells it.
    package var status: Int32
    package var output: String
    package var errorOutput: String

    package var description: String {
        "\(command)\nexit status \(status)\nstdout: \(output)\nstderr: \(errorOutput)"
    }

    /// The standard output without the newline at its end.
    package var line: String {
        output.hasSuffix("\n") ? String(output.dropLast()) : output
    }
}

/// A child process that runs as the user that servers run as, its output going to files that can be read while it
/// runs. It is killed when it outlives its bound, or when nobody holds it any more.
package final class Program: Sendable {
    package let command: String
    package let processID: Int32

    private let files: String
    private let isOver = Locked(false)
    private let waitStatus = Atomic<Int32>(-1)

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - environment: Added to a small environment of its own: no PG variable and no home of the caller gets through.
    ///   - asCaller: Runs it as the user that runs the tests, even root.
    ///   - bound: The time after which the program is killed. Not a measure: a test that gets there has failed.
    package init(
        _ path: String, _ arguments: [String], environment: [String: String] = [:], input: String = "",
        bound: Duration = .seconds(300), asCaller: Bool = false
    ) throws {
        files = try TestDirectory.make("run")
        command = ([path] + arguments).joined(separator: " ")
        try TestDirectory.write(input, to: "\(files)/in")
        processID = try Self.spawn(
            (asCaller ? [] : Account.prefix) + [path] + arguments, environment: Self.environment(adding: environment),
            files: files)
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(Int(bound.components.seconds))) { [weak self] in
            self?.send(SIGKILL)
        }
    }

    deinit {
        send(SIGKILL)
        reap()
        try? FileManager.default.removeItem(atPath: files)
    }

    /// What it has written to standard output until now.
    package var output: String { (try? String(contentsOfFile: "\(files)/out", encoding: .utf8)) ?? "" }
    package var errorOutput: String { (try? String(contentsOfFile: "\(files)/err", encoding: .utf8)) ?? "" }

    package var isRunning: Bool {
        isOver.withLock { isOver in
            if isOver { return false }
            // SAFETY: `info` lives through the call, which with WNOWAIT leaves the child to `reap`.
            var info = unsafe siginfo_t()
            unsafe waitid(P_PID, id_t(processID), &info, WEXITED | WNOHANG | WNOWAIT)
            return unsafe info.si_signo == 0
        }
    }

    /// Sends a signal, unless the program has ended: its number may be another process's then.
    package func send(_ signal: Int32) {
        isOver.withLock { isOver in
            if !isOver { kill(processID, signal) }
        }
    }

    /// Waits until the program has ended.
    package func wait() -> ProgramResult {
        let status = reap()
        return ProgramResult(command: command, status: status, output: output, errorOutput: errorOutput)
    }

    @discardableResult
    private func reap() -> Int32 {
        // The child stays a zombie, and its number its own, until the lock is held.
        // SAFETY: `info` lives through the call.
        var info = unsafe siginfo_t()
        while unsafe waitid(P_PID, id_t(processID), &info, WEXITED | WNOWAIT) == -1, errno == EINTR {}
        isOver.withLock { isOver in
            if isOver { return }
            var status: Int32 = 0
            // SAFETY: `status` lives through the call.
            unsafe waitpid(processID, &status, 0)
            let signal = status & 0x7f
            waitStatus.store(signal == 0 ? (status >> 8) & 0xff : 128 + signal, ordering: .relaxed)
            isOver = true
        }
        return waitStatus.load(ordering: .relaxed)
    }
}

extension Program {
    /// Runs a program to its end.
    @discardableResult
    package static func run(
        _ path: String, _ arguments: [String], environment: [String: String] = [:], input: String = "",
        bound: Duration = .seconds(300), asCaller: Bool = false
    ) throws -> ProgramResult {
        try Program(
            path, arguments, environment: environment, input: input, bound: bound, asCaller: asCaller
        ).wait()
    }

    /// Runs a program that the test itself relies on: any exit status but 0 is an error.
    @discardableResult
    package static func check(
        _ path: String, _ arguments: [String], environment: [String: String] = [:], input: String = "",
        bound: Duration = .seconds(300), asCaller: Bool = false
    ) throws -> ProgramResult {
        let result = try run(
            path, arguments, environment: environment, input: input, bound: bound, asCaller: asCaller)
        guard result.status == 0 else { throw SupportError(result.description) }
        return result
    }

    private static func environment(adding more: [String: String]) -> [String: String] {
        var environment = ["PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C", "HOME": TestDirectory.root]
        // What sanitizers and a Swift library in an unusual place need.
        for name in ["ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "LD_LIBRARY_PATH", "TZ"] {
            environment[name] = ProcessInfo.processInfo.environment[name]
        }
        return environment.merging(more) { $1 }
    }

    private static func spawn(_ words: [String], environment: [String: String], files: String) throws -> pid_t {
        // SAFETY: The two objects are initialised before use and destroyed at the end; the arrays of C strings are
        // freed after the call, end with nil, and posix_spawn copies what it needs.
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "\(files)/in", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, "\(files)/out", O_WRONLY | O_CREAT | O_APPEND, 0o644)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, "\(files)/err", O_WRONLY | O_CREAT | O_APPEND, 0o644)

        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // Signals work in the child as they do in one started from a shell.
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE] { unsafe sigaddset(&signals, signal) }
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var argv = unsafe words.map { unsafe strdup($0) } + [nil]
        var envp = unsafe environment.map { unsafe strdup("\($0)=\($1)") } + [nil]
        defer { unsafe (argv + envp).forEach { unsafe free($0) } }
        var processID: pid_t = 0
        let failure = unsafe posix_spawn(&processID, words[0], &actions, &attributes, &argv, &envp)
        guard failure == 0 else { throw SupportError("could not start \"\(words[0])\": errno \(failure)") }
        return processID
    }
}
