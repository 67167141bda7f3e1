import Understudy

/// Completions for zsh. Source: zshcompsys(1), _arguments and _describe.
struct ZshCompletions {
    var commands: [CompletedCommand]

    var text: String {
        """
        #compdef understudy
        # \(CompletionShell.zsh.title)

        _understudy() {
            local -a commands
            if (( CURRENT == 2 )); then
                commands=(
        \(list(commands))        )
                _describe -t commands command commands
                _arguments \(CompletedCommand.programOptions.map(Self.specification).joined(separator: " "))
                return
            fi
            case $words[2] in
        \(commands.map(branch).joined())    esac
        }

        # Read by a shell, or loaded when it is needed first.
        if [[ $funcstack[1] == _understudy ]]; then
            _understudy "$@"
        else
            compdef _understudy understudy
        fi

        """
    }

    private func branch(_ command: CompletedCommand) -> String {
        guard !command.subcommands.isEmpty else {
            return """
                    (\(command.word))
                        shift words
                        (( CURRENT-- ))
                \(arguments(command, indent: "            "))
                        ;;

                """
        }
        let cases = command.subcommands.map { command in
            """
                        (\(command.word))
                            shift words
                            (( CURRENT-- ))
            \(arguments(command, indent: "                "))
                            ;;

            """
        }
        return """
                (\(command.word))
                    shift words
                    (( CURRENT-- ))
                    if (( CURRENT == 2 )); then
                        commands=(
            \(list(command.subcommands))                )
                        _describe -t commands command commands
                        _arguments \(command.options.map(Self.specification).joined(separator: " "))
                        return
                    fi
                    case $words[2] in
            \(cases.joined())            esac
                    ;;

            """
    }

    private func list(_ commands: [CompletedCommand]) -> String {
        commands.map { "            \(ShellText.word("\($0.word):\($0.summary)"))\n" }.joined()
    }

    private func arguments(_ command: CompletedCommand, indent: String) -> String {
        var specifications = command.options.map(Self.specification)
        if !command.operands.isEmpty {
            specifications.append(ShellText.word("*:command:(\(command.operands.joined(separator: " ")))"))
        }
        return "\(indent)_arguments -s -S \\\n"
            + specifications.map { "\(indent)    \($0)" }.joined(separator: " \\\n")
    }

    /// One option for _arguments: `'(-c --checkpoint)'{-c+,--checkpoint=}'[SUMMARY]:WORD:(fast spread)'`.
    static func specification(_ option: CompletedOption) -> String {
        let summary = "[\(escaped(option.summary, "[]"))]"
        guard let value = option.value else {
            let flags = option.flags
            let other = ShellText.word("(\(flags.joined(separator: " ")))")
            return flags.map { other + ShellText.word($0) + ShellText.word(summary) }.joined(separator: " ")
        }
        let action: String =
            switch value {
            case .words(let words): "(\(words.joined(separator: " ")))"
            case .directory: "_files -/"
            case .file: "_files"
            case .user: "_users"
            case .host: "_hosts"
            case .other: " "
            }
        let behind = ":\(escaped(option.word, ":")):\(action)"
        if option.isValueOptional {
            let flags = option.short.map { [ShellText.word("*-\($0)") + ShellText.word(summary)] } ?? []
            return (flags + [ShellText.word("*--\(option.name)=-\(summary):\(behind)")]).joined(separator: " ")
        }
        // May be given again: some options may be repeated, and of settings the last counts.
        let names =
            (option.short.map { ["*-\($0)+"] } ?? []) + ["*--\(option.name)="] + option.aliases.map { "!*--\($0)=" }
        return names.map { ShellText.word("\($0)\(summary)\(behind)") }.joined(separator: " ")
    }

    private static func escaped(_ text: String, _ characters: String) -> String {
        text.map { $0 == "\\" || characters.contains($0) ? "\\\($0)" : String($0) }.joined()
    }
}
