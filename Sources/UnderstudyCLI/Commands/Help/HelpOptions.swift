import UnderstudyPlatform

/// The options of `help`: texts for those who install the program.
enum HelpOptions {
    static let man = CommandOption(
        "man", help: "print the manual page of the command, or of the program, for man(1)")
    static let completions = CommandOption(
        "completions", nil, CompletionShell.word, help: "print what completes command lines in that shell")
    static let list = CommandOption(
        "list", help: "print the name of each command, and those of links that stand for it")

    static let all = [man, completions, list]
}

/// A text that `help` prints for those who install the program.
enum InstallationText: Equatable {
    /// Of a command; nil for that of the program.
    case manual(String?)
    case completions(CompletionShell)
    case list

    /// - Parameter words: The command line after `help`.
    init(_ words: [String]) throws(UsageError) {
        let table = HelpOptions.all.flatMap { $0.stockOptions(hasStockTool: false, as: .understudy) }
        let normalised: StockArguments.Normalised
        do throws(StockArguments.Refusal) {
            normalised = try StockArguments(table: table).normalise(words)
        } catch {
            throw UsageError(error, see: Personality.understudy.program)
        }
        let options = OptionValues(normalised.options), operands = normalised.operands
        guard let option = options.given.first, options.given.count == 1 else {
            throw UsageError("give one option of help", hint: UsageError.tryHelp(Personality.understudy.program))
        }
        switch option.name {
        case HelpOptions.man.name where operands.isEmpty: self = .manual(nil)
        case HelpOptions.man.name:
            // A command may have two words.
            let name = operands.joined(separator: " ")
            guard Self.command(name) != nil else {
                throw UsageError(
                    "unrecognized command \"\(name)\"", hint: UsageError.tryHelp(Personality.understudy.program))
            }
            self = .manual(name)
        case _ where !operands.isEmpty:
            throw UsageError(
                "too many command-line arguments (first is \"\(operands[0])\")",
                hint: UsageError.tryHelp(Personality.understudy.program))
        case HelpOptions.list.name: self = .list
        default:
            guard let shell = option.value.flatMap(CompletionShell.init) else {
                throw UsageError(
                    "invalid value \"\(option.value ?? "")\" for option --\(HelpOptions.completions.name)",
                    hint: "Use one of bash, zsh and fish.")
            }
            self = .completions(shell)
        }
    }

    /// - Parameter environment: Gives the value of a variable.
    func text(environment: (String) -> String?) -> String {
        switch self {
        case .manual(let name):
            let date = Self.date(environment), command = name.flatMap(Self.command)
            return (command.map { ManualPage.of($0, date: date) } ?? .ofProgram(date: date)).text
        case .completions(let shell): return shell.completions()
        case .list:
            return Command.withPages.map { (["\($0.name):"] + $0.links).joined(separator: " ") + "\n" }.joined()
        }
    }

    private static func command(_ name: String) -> Command? { Command.withPages.first { $0.name == name } }

    /// The day that the page is of, if the build tells one: `2026-11-24`.
    ///
    /// Source: https://reproducible-builds.org/docs/source-date-epoch.
    private static func date(_ environment: (String) -> String?) -> String {
        environment("SOURCE_DATE_EPOCH").flatMap { Int($0) }.map { String(UTCTime($0).timestamp.prefix(10)) } ?? ""
    }
}
