import Understudy

/// Completions for fish. Source: fish's page about the command `complete`.
struct FishCompletions {
    var commands: [CompletedCommand]

    var text: String {
        """
        # \(CompletionShell.fish.title)

        # Whether the command line begins with these words, however many follow.
        function __understudy_begins
            set -l words (commandline -opc)
            set -e words[1]
            set -l count (count $argv)
            test (count $words) -ge $count
            and test "$words[1..$count]" = "$argv"
        end

        # Whether it has just so many words yet, and the given ones first.
        function __understudy_next
            set -l words (commandline -opc)
            test (count $words) -eq (math 1 + (count $argv))
            and begin
                test (count $argv) -eq 0
                or __understudy_begins $argv
            end
        end

        complete -c understudy -f
        \(words)\(options)
        """
    }

    /// The words of commands, and the options that stand in their place.
    private var words: String {
        let first = next([], commands, CompletedCommand.programOptions)
        let second = commands.filter { !$0.subcommands.isEmpty }.flatMap { next($0.words, $0.subcommands, $0.options) }
        return (first + second).map { "complete -c understudy \($0)\n" }.joined()
    }

    private func next(_ words: [String], _ commands: [CompletedCommand], _ options: [CompletedOption]) -> [String] {
        let condition = "-n '\((["__understudy_next"] + words).joined(separator: " "))'"
        return commands.map { "\(condition) -a \($0.word) -d \(ShellText.word($0.summary))" }
            + options.map { "\(condition) \(Self.specification($0))" }
    }

    private var options: String {
        commands.flatMap(\.leaves).map { command in
            let condition = "-n '__understudy_begins \(command.words.joined(separator: " "))'"
            let operands = command.operands.isEmpty ? [] : ["-a '\(command.operands.joined(separator: " "))'"]
            return "\n"
                + (operands + command.options.map(Self.specification)).map {
                    "complete -c understudy \(condition) \($0)\n"
                }.joined()
        }.joined()
    }

    static func specification(_ option: CompletedOption) -> String {
        var words = option.short.map { ["-s \(ShellText.word(String($0)))"] } ?? []
        words.append("-l \(option.name)")
        if let value = option.value {
            // A value of its own, and files only where they are meant.
            if !option.isValueOptional { words.append(value == .file ? "-r -F" : "-x") }
            switch value {
            case .words(let list): words.append("-a '\(list.joined(separator: " "))'")
            case .directory: words.append("-a '(__fish_complete_directories)'")
            case .user: words.append("-a '(__fish_complete_users)'")
            case .host: words.append("-a '(__fish_print_hostnames)'")
            case .file, .other: break
            }
        }
        return (words + ["-d \(ShellText.word(option.summary))"]).joined(separator: " ")
    }
}
