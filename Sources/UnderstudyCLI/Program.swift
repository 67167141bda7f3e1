import Glibc
import Understudy
import UnderstudyFileIO

/// The program: reads the command line, lets the library work, and prints.
public struct Program: Sendable {
    /// The exit status of a run with this process's standard streams, signals and users.
    ///
    /// - Parameter arguments: The whole command line, the program's name first.
    public static func run(_ arguments: [String]) async -> Int32 {
        // A reader of our output that has gone away is an error of write(2), not a reason to die without cleaning up.
        _ = signal(SIGPIPE, SIG_IGN)
        FileLimit.raise()
        let program = Program(
            users: .system, write: StandardStreams.write, errorsAreTerminal: StandardStreams.errorsAreTerminal)
        return await program.run(arguments)
    }

    var users: Users
    var write: @Sendable (Console.Stream, String) -> Void
    var errorsAreTerminal: Bool

    func run(_ arguments: [String]) async -> Int32 {
        let personality = Personality(calledAs: arguments.first ?? "")
        let console = Console(program: personality.program, verbose: false, write: write)
        // What is not UTF-8 has been repaired, and would name another file than the one that was meant.
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

    /// Runs the library's work with what the connection needs, until it ends or a signal ends it.
    ///
    /// - Parameter operation: Gets the connection keywords that beat the connection string.
    func work<Result: Sendable>(
        _ connection: ConnectionRequest, console: Console, ending: Interruption.Ending = .cleaningUp,
        operation: @escaping @Sendable (_ overrides: [String: String]) async throws(UnderstudyError) -> Result
    ) async throws(UnderstudyError) -> Result {
        try await Interruption.watch(
            Interruption.signals(), console: console, ending: ending
        ) { () throws(UnderstudyError) in
            try await connection.password.run(
                ask: { () throws(UnderstudyError) in
                    // The prompt must not stand behind a line of progress.
                    console.setStatus(nil)
                    return try await PasswordPrompt.ask()
                },
                attempt: { password throws(UnderstudyError) in
                    try await operation(connection.overrides(password: password))
                })
        }
    }
}
