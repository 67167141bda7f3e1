import CUnderstudyLinux
import Glibc
import Understudy
import UnderstudyPlatform

/// The program: reads the command line, lets the library work, and prints.
public struct Program: Sendable {
    /// Runs the program with this process's standard streams, signals and users, and returns its exit status.
    ///
    /// All of it runs on the calling thread and on threads of its own, none on those of Swift's pool: these are made
    /// when they are needed, and who needs one waits until it can be had.
    ///
    /// - Parameter arguments: The whole command line, the program's name first.
    public static func run(_ arguments: [String]) -> Int32 {
        StandardStreams.reserve()
        // A reader of our output that has gone away is an error of write(2), not a reason to die without cleaning up.
        _ = signal(SIGPIPE, SIG_IGN)
        // So is a file that has reached the limit on its size. A server that is started has that signal as it was.
        _ = understudy_count_signal(SIGXFSZ)
        FileLimit.raise()
        let output = StandardOutput(program: Personality(calledAs: arguments.first ?? "").program)
        let executor = CallingThread()
        let program = Program(
            calledAs: arguments.first ?? "", users: .system, environment: environmentVariable, write: output.write,
            errorsAreTerminal: StandardStreams.errorsAreTerminal, outputIsTerminal: StandardStreams.outputIsTerminal,
            errorsAreJournal: StandardStreams.errorsAreJournal(environmentVariable("JOURNAL_STREAM")),
            output: output, executor: executor)
        let status = executor.run { await program.run(Array(arguments.dropFirst())) }
        output.drain()
        return status
    }

    /// The first word of the command line, with or without folders.
    var calledAs: String
    var users: Users
    /// Gives the value of a variable.
    var environment: @Sendable (String) -> String?
    var write: @Sendable (Console.Stream, String) -> Void
    var errorsAreTerminal: Bool
    var outputIsTerminal = false
    /// Whether the journal of systemd gets them.
    var errorsAreJournal = false
    /// What `write` writes to, where that is queued while the work runs.
    var output: StandardOutput?
    /// Where the work runs; nil for Swift's own threads.
    var executor: (any TaskExecutor)?

    /// - Parameter words: The command line after its first word.
    func run(_ words: [String]) async -> Int32 {
        let personality = Personality(calledAs: calledAs)
        let console = console(personality)
        // What is not UTF-8 has been repaired, and would name another file than the one that was meant.
        if let index = words.firstIndex(where: { $0.unicodeScalars.contains("\u{FFFD}") }) {
            // It may hold a password.
            return refuse(
                UsageError("command-line argument \(index + 1) is not valid UTF-8", hint: UsageError.useUTF8),
                console: console)
        }
        if let command = personality.command { return await command.run(self, words, personality) }
        return await understudy(words, console: console)
    }

    func console(
        _ personality: Personality, verbose: Bool = false, lines: LogLines = LogLines(), writesObjects: Bool = false
    ) -> Console {
        // The stock tools' getopt names the program as it was called.
        Console(
            program: personality.program, calledAs: personality == .understudy ? nil : calledAs, verbose: verbose,
            colors: MessageColors(
                environment, isTerminal: errorsAreTerminal, isStock: personality != .understudy),
            lines: lines, writesObjects: writesObjects, write: write)
    }

    private func understudy(_ words: [String], console: Console) async -> Int32 {
        let rest = Array(words.dropFirst())
        switch words.first {
        case "help": return help(rest, console: console)
        case "--help", "-?", "-h": return help([], console: console)
        case "--version", "-V":
            console.output(Version.text)
            return ExitStatus.success
        case nil:
            return refuse(misuse("no command specified"), console: console)
        case .some(let word) where word.hasPrefix("-"):
            return refuse(misuse("unrecognized option \"\(word)\" before the command"), console: console)
        case .some(let word):
            guard let command = Command.named(word) else { return refuse(word, console: console) }
            return await command.run(self, rest, .understudy)
        }
    }

    private func help(_ words: [String], console: Console) -> Int32 {
        guard let word = words.first else {
            console.output(UnderstudyHelp.text)
            return ExitStatus.success
        }
        if word.hasPrefix("-") { return installationText(words, console: console) }
        guard var command = Command.named(word) else { return refuse(word, console: console) }
        var rest = words.dropFirst()
        if !command.subcommands.isEmpty, let next = rest.popFirst() {
            guard let subcommand = command.subcommand(next) else {
                return refuse("\(word) \(next)", console: console)
            }
            command = subcommand
        }
        if let extra = rest.first {
            return refuse(misuse("too many command-line arguments (first is \"\(extra)\")"), console: console)
        }
        console.output(command.helpText(as: .understudy))
        return ExitStatus.success
    }

    /// `help` with an option.
    private func installationText(_ words: [String], console: Console) -> Int32 {
        do throws(UsageError) {
            console.output(try InstallationText(words).text(environment: environment))
            return ExitStatus.success
        } catch {
            return fail(error, console: console)
        }
    }

    func refuse(_ word: String, console: Console) -> Int32 {
        refuse(misuse("unrecognized command \"\(word)\""), console: console)
    }

    private func refuse(_ error: UsageError, console: Console) -> Int32 {
        console.error(error)
        return ExitStatus.misuse
    }

    func misuse(_ message: String) -> UsageError {
        UsageError(message, hint: UsageError.tryHelp(Personality.understudy.program))
    }

    /// Whether a line on standard error can be written anew: it is a terminal, of a kind that is known and not dumb.
    var canRewriteLines: Bool { errorsAreTerminal && !["", "dumb"].contains(environment("TERM") ?? "") }

    /// How the progress of a backup or clone is shown.
    func style(_ choice: ProgressChoice) -> ProgressWriter.Style {
        switch choice {
        case .auto: canRewriteLines ? .terminal : .plain(every: 10)
        case .none: .none
        case .plain: .plain(every: 1)
        case .json: .json
        }
    }

    func fail(_ error: UsageError, console: Console) -> Int32 {
        console.error(error)
        return ExitStatus.of(error)
    }

    /// Runs the library's work with what the connection needs, until it ends or a signal ends it.
    ///
    /// - Parameters:
    ///   - remains: What is left where the process ends at once.
    ///   - abandoned: Writes the last object where the process ends at once.
    ///   - operation: Gets the connection string with the password.
    func work<Result: Sendable>(
        _ connection: ConnectionRequest, console: Console, ending: Interruption.Ending = .cleaningUp,
        remains: Remains, abandoned: @escaping @Sendable (UnderstudyError) -> Void,
        operation: @escaping @Sendable (_ source: ConnectionString) async throws(UnderstudyError) -> Result
    ) async throws(UnderstudyError) -> Result {
        let signals: SignalFeed
        try AddressSpace.check()
        output?.startQueue(holdsObjects: console.writesObjects, lines: console.lines)
        do throws(FileIOError) { signals = try .ofProcess() } catch { throw UnderstudyError(error) }
        // Who sends one when all is done does not want to wait for a reader.
        defer { signals.listen { _ in output?.hurry() } }
        return try await Interruption.watch(
            signals, console: console, ending: ending, on: executor,
            endAtOnce: { signal in
                remains.tell(signal, console)
                abandoned(UnderstudyError(.cancelled, Remains.message(signal)))
                output?.hurry()
                output?.drain()
                // Nothing that runs is waited for.
                _exit(128 + signal.rawValue)
            }
        ) { () throws(UnderstudyError) in
            try await connection.password.run(
                ask: { () throws(UnderstudyError) in
                    // The prompt must not stand behind a line of progress.
                    console.setStatus(nil)
                    output?.drain()
                    return try await PasswordPrompt.ask()
                },
                attempt: { password throws(UnderstudyError) in
                    try await operation(connection.source(password: password))
                })
        }
    }
}
