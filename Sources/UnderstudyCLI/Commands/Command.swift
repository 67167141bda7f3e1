/// A command of the program: what it is called, which options it has, what its help says, and how it runs.
struct Command: Sendable {
    var name: String
    /// A line for the list of commands.
    var summary: String
    /// Names of stock programs whose place the command takes when the program is called through a link of such a name.
    var links: [String] = []
    /// In the order in which an ambiguous name lists them.
    var options: [CommandOption]
    var help: Help
    /// Those that its first operand names: `archive list`. Their own names have both words.
    var subcommands: [Command] = []
    var run: @Sendable (Program, [String], Personality) async -> Int32

    /// The parts of the help text. `COMMAND` stands for the words that the user types to run the command.
    struct Help: Sendable {
        struct Section: Sendable {
            var title: String
            var options: [CommandOption]
        }

        var about: String
        var usage: [String]
        var sections: [Section]
        var notes: String
        var examples: [String]
        // Of the manual page alone, beside what all commands have.
        var statuses = ManualEntry.statuses
        var environment: [ManualEntry] = []
        var files: [ManualEntry] = []
    }

    /// In the order in which the help lists them.
    static let all: [Command] = [
        .prepare, .clone, .configure, .check, .basebackup, .verifybackup, .receivewal, .restoreWAL, .archive,
    ]

    /// Whether a command line that cannot be read asks for its error as an object, too. None goes into an archive.
    func writesObjects(_ options: OptionValues) -> Bool {
        if options.has(ArchiveOptions.json) { return true }
        let isArchive = name == Self.basebackup.name && options[BasebackupOptions.pgdata] == "-"
        return options[BasebackupOptions.progress] == ProgressChoice.json.rawValue && !isArchive
    }

    /// The form of the error about a command line that cannot be read.
    func logFormat(_ options: OptionValues) -> LogLines.Format {
        options[ReceivewalOptions.logFormat].flatMap(LogLines.Format.init) ?? .text
    }

    static func named(_ name: String) -> Command? {
        all.first { $0.name == name }
    }

    /// The subcommand that a word names.
    func subcommand(_ word: String?) -> Command? {
        subcommands.first { $0.name == word.map { "\(name) \($0)" } }
    }

    /// What `--help` prints: no line is longer than 80 columns.
    func helpText(as personality: Personality) -> String {
        func named(_ text: String) -> String { text.replacing("COMMAND", with: personality.line(of: self)) }
        let usage = help.usage.map { "  \(named($0))\n" }.joined()
        let sections = help.sections.compactMap { section -> String? in
            let options = section.options.filter { $0.isKnown(to: personality) }
            // A link may know none of them.
            guard !options.isEmpty else { return nil }
            return "\(section.title):\n" + options.map { $0.helpText(as: personality) }.joined()
        }
        let examples = help.examples.map { WrappedText.command(named($0)) + "\n" }.joined()
        let commands = subcommands.map { command in
            let word = command.name.dropFirst(name.count + 1)
            return "  \(word)" + String(repeating: " ", count: 14 - word.count) + "\(command.summary)\n"
        }.joined()
        return """
            \(WrappedText.lines(named(help.about)).joined(separator: "\n"))

            Usage:
            \(usage)
            \(commands.isEmpty ? "" : "Commands:\n\(commands)\n")\(sections.joined(separator: "\n"))
            \(WrappedText.lines(named(help.notes)).joined(separator: "\n"))

            Examples:
            \(examples)
            """
    }
}

extension CommandOption {
    /// Where the description begins.
    private static let column = 29

    /// Its lines of the help text. A name that leaves no room has a line of its own.
    func helpText(as personality: Personality) -> String {
        let ownValue = ownValue(as: personality)
        var left = short.map { "  -\($0), --" } ?? "      --"
        left += name
        if case .required(let word) = value { left += "=\(word)" }
        if let ownValue { left += "[=\(ownValue.word)]" }
        let lines = WrappedText.lines(ownValue?.help ?? help, width: WrappedText.columns - Self.column)
        guard !lines.isEmpty else { return left + "\n" }
        let indent = String(repeating: " ", count: Self.column)
        let isAlone = left.count > Self.column - 2
        let beginning = isAlone ? "\(left)\n\(indent)" : left + indent.dropFirst(left.count)
        return "\(beginning)\(lines.joined(separator: "\n\(indent)"))\n"
    }
}
