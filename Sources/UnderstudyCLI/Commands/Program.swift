import CUnderstudyLinux
import Glibc
import Understudy
import UnderstudyPlatform

/// The program: parses the command line, calls the library, and prints.
public struct Program: Sendable {
    /// Runs the program with this process's standard streams, signals and users, and returns its exit status.
    ///
    /// Everything runs on the calling thread and on threads of its own, none on Swift's thread pool: that creates
    /// threads when they are needed, and work waits until one can be created.
    ///
    /// - Parameter arguments: The whole command line, the program's name first.
    public static func run(_ arguments: [String]) -> Int32 {
        // A closed reader of our output is an error of write(2), not a reason to die without cleaning up.
        _ = signal(SIGPIPE, SIG_IGN)
        // So is a file that reaches the file size limit. A server that is started gets the signal's original action.
        _ = understudy_count_signal(SIGXFSZ)
        FileLimit.raise()
        let output = StandardOutput(program: Personality(calledAs: arguments.first ?? "").program)
        let executor = CallingThread()
        let program = Program(
            users: .system, write: output.write, errorsAreTerminal: StandardStreams.errorsAreTerminal,
            output: output, executor: executor)
        let status = executor.run { await program.run(arguments) }
        output.drain()
        return status
    }

    var users: Users
    var write: @Sendable (Console.Stream, String) -> Void
    var errorsAreTerminal: Bool
    /// The destination of `write`, if output is queued while the work runs.
    var output: StandardOutput?
    /// The executor of the work; nil for Swift's own threads.
    var executor: (any TaskExecutor)?

    func run(_ arguments: [String]) async -> Int32 {
        let personality = Personality(calledAs: arguments.first ?? "")
        let console = Console(program: personality.program, verbose: false, write: write)
        // Invalid UTF-8 has been replaced, and would name another file than the one that was meant.
        if arguments.contains(where: { $0.unicodeScalars.contains("\u{FFFD}") }) {
            return fail(UsageError("a command-line argument is not valid UTF-8"), console: console)
        }
        let words = Array(arguments.dropFirst())
        switch personality {
        case .baseBackup: return await basebackup(words, as: personality)
        case .receiveWAL, .receiveXLOG: return await receivewal(words, as: personality)
        case .understudy: return await understudy(words, console: console)
        }
    }

    private func understudy(_ words: [String], console: Console) async -> Int32 {
        let rest = Array(words.dropFirst())
        switch words.first {
        case "clone": return await clone(rest)
        case "basebackup": return await basebackup(rest, as: .understudy)
        case "receivewal": return await receivewal(rest, as: .understudy)
        case "help": return help(rest, console: console)
        case "--help", "-?", "-h": return help([], console: console)
        case "--version", "-V":
            console.output(Version.text)
            return ExitStatus.success
        case nil:
            return fail(misuse("no command specified"), console: console)
        case .some(let word) where word.hasPrefix("-"):
            return fail(misuse("unrecognized option \"\(word)\" before the command"), console: console)
        case .some(let word):
            return fail(misuse("unrecognized command \"\(word)\""), console: console)
        }
    }

    private func help(_ words: [String], console: Console) -> Int32 {
        switch words.first {
        case nil: console.output(UnderstudyHelp.text)
        case "clone": console.output(CloneHelp.text)
        case "basebackup": console.output(BasebackupHelp.text(for: .understudy))
        case "receivewal": console.output(ReceivewalHelp.text(for: .understudy))
        case .some(let word): return fail(misuse("unrecognized command \"\(word)\""), console: console)
        }
        return ExitStatus.success
    }

    private func misuse(_ message: String) -> UsageError {
        UsageError(message, hint: UsageError.tryHelp(Personality.understudy.program))
    }

    func fail(_ error: UsageError, console: Console) -> Int32 {
        console.error(error)
        return ExitStatus.of(error)
    }

    /// Runs the library's work with the connection's parameters, until it ends or a signal ends it.
    ///
    /// - Parameters:
    ///   - remains: What is left if the process ends at once.
    ///   - operation: Receives the connection keywords that override the connection string.
    func work<Result: Sendable>(
        _ connection: ConnectionRequest, console: Console, ending: Interruption.Ending = .cleaningUp,
        remains: Remains,
        operation: @escaping @Sendable (_ overrides: [String: String]) async throws(UnderstudyError) -> Result
    ) async throws(UnderstudyError) -> Result {
        let signals: SignalFeed
        try AddressSpace.check()
        output?.startQueue()
        do throws(FileIOError) { signals = try .ofProcess() } catch { throw UnderstudyError(error) }
        // A signal that arrives when all is done means: do not wait for a reader.
        defer { signals.listen { _ in output?.hurry() } }
        return try await Interruption.watch(
            signals, console: console, ending: ending, on: executor,
            endAtOnce: { signal in
                remains.tell(signal, console)
                output?.hurry()
                output?.drain()
                // Waits for nothing that still runs.
                _exit(128 + signal.rawValue)
            }
        ) { () throws(UnderstudyError) in
            try await connection.password.run(
                ask: { () throws(UnderstudyError) in
                    // The prompt must not follow a progress line.
                    console.setStatus(nil)
                    output?.drain()
                    return try await PasswordPrompt.ask()
                },
                attempt: { password throws(UnderstudyError) in
                    try await operation(connection.overrides(password: password))
                })
        }
    }
}
