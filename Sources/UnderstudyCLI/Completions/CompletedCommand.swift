/// What a shell completes behind the words that call a command.
struct CompletedCommand: Sendable {
    /// One, or two for a subcommand.
    var words: [String]
    var summary: String
    var options: [CompletedOption]
    /// What may stand there beside options.
    var operands: [String] = []
    /// Those whose word comes next.
    var subcommands: [CompletedCommand]

    /// In the order of the help; `help` last.
    static let all = Command.all.map(CompletedCommand.init) + [help]

    init(_ command: Command) {
        words = command.name.split(separator: " ").map(String.init)
        summary = command.summary
        options = command.options.map(CompletedOption.init)
        subcommands = command.subcommands.map(CompletedCommand.init)
    }

    private init(help options: [CommandOption], of commands: [Command]) {
        words = ["help"]
        summary = "show the help of a command"
        self.options = options.map(CompletedOption.init)
        operands = commands.map(\.name)
        subcommands = []
    }

    private static let help = CompletedCommand(help: HelpOptions.all, of: Command.all)

    /// The last of its words.
    var word: String { words[words.count - 1] }

    /// Itself, or those that its next word chooses among.
    var leaves: [CompletedCommand] { subcommands.isEmpty ? [self] : subcommands }

    /// What is known before a command.
    static let programOptions = [CommonOptions.version, CommonOptions.help].map(CompletedOption.init)
}

/// An option as a shell completes it.
struct CompletedOption: Sendable {
    var name: String
    var short: Unicode.Scalar?
    /// Its older or other names: they are not offered, but where the shell can do so, their values are.
    var aliases: [String]
    var value: ValueKind?
    /// Whether the value may be missing: then it is attached to the long name.
    var isValueOptional: Bool
    /// What stands for the value in the help text.
    var word: String
    /// The beginning of the help, in a line.
    var summary: String

    init(_ option: CommandOption) {
        let ownValue = option.ownValue(as: .understudy)
        name = option.name
        short = option.short
        aliases = option.aliases
        isValueOptional = ownValue != nil
        if case .required(let word) = option.value { self.word = word } else { word = ownValue?.word ?? "" }
        if word.isEmpty {
            value = nil
        } else {
            value = option.suggestions.isEmpty ? ValueKind(word) : .words(option.suggestions)
        }
        summary = Self.summary(ownValue?.help ?? option.help)
    }

    /// The flags that are offered.
    var flags: [String] { (short.map { ["-\($0)"] } ?? []) + ["--\(name)"] }

    /// The flags behind which a value is completed, a short one only where the value is a word of its own.
    var valueFlags: [String] {
        (isValueOptional ? [] : short.map { ["-\($0)"] } ?? []) + ["--\(name)"] + aliases.map { "--\($0)" }
    }

    private static func summary(_ help: String) -> String {
        let line = help.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        let ends = ["; ", ": ", " ("].compactMap { line.firstRange(of: $0)?.lowerBound }
        return String(line[..<(ends.min() ?? line.endIndex)])
    }
}
