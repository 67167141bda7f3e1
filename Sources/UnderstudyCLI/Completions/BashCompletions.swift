/// Completions for bash. Source: bash(1), Programmable Completion.
struct BashCompletions {
    var commands: [CompletedCommand]

    var text: String {
        """
        # \(CompletionShell.bash.title)

        _understudy()
        {
            local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}
            local command=${COMP_WORDS[1]} attached= words= kind= options=
            COMPREPLY=()
            # Bash takes "=" for a word of its own.
            if [[ $current == = ]]; then
                current= attached=yes
            elif [[ $option == = ]]; then
                option=${COMP_WORDS[COMP_CWORD - 2]} attached=yes
            fi
            case $COMP_CWORD:$command in
            1:*) words='\(beginnings)' ;;
        \(groups)    esac
            case $command in
        \(options)    esac
            case $kind in
            directory) compopt -o dirnames; return ;;
            file) compopt -o default; return ;;
            user) words=$(compgen -u) ;;
            host) words=$(compgen -A hostname) ;;
            other) return ;;
            esac
            # An option that takes no value.
            [[ $attached && ! $words ]] && return
            mapfile -t COMPREPLY < <(compgen -W "${words:-$options}" -- "$current")
        }

        complete -F _understudy understudy

        """
    }

    private var beginnings: String {
        (commands.map(\.word) + CompletedCommand.programOptions.flatMap(\.flags)).joined(separator: " ")
    }

    /// What comes behind the first word of two.
    private var groups: String {
        commands.filter { !$0.subcommands.isEmpty }.map { group in
            let offered = group.subcommands.map(\.word) + group.options.flatMap(\.flags)
            return """
                    2:\(group.word)) words='\(offered.joined(separator: " "))' ;;
                    *:\(group.word)) command="\(group.word) ${COMP_WORDS[2]}" ;;

                """
        }.joined()
    }

    private var options: String {
        commands.flatMap(\.leaves).map { command in
            let offered = command.operands + command.options.flatMap(\.flags)
            return """
                    '\(command.words.joined(separator: " "))')
                        options='\(offered.joined(separator: " "))'
                        case $option in
                \(command.options.compactMap(values).joined())            esac
                        ;;

                """
        }.joined()
    }

    /// Sets `words` or `kind` behind an option that takes a value.
    private func values(_ option: CompletedOption) -> String? {
        guard let value = option.value else { return nil }
        let action =
            switch value {
            case .words(let words): "words='\(words.joined(separator: " "))'"
            default: "kind=\(value)"
            }
        let flags = option.valueFlags.map { "'\($0)'" }.joined(separator: " | ")
        let condition = option.isValueOptional ? "[[ ! $attached ]] || " : ""
        return "            \(flags)) \(condition)\(action) ;;\n"
    }
}
