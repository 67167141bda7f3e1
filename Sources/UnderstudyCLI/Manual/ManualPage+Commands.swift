extension ManualPage {
    /// The page of a command.
    static func of(_ command: Command, date: String) -> ManualPage {
        let words = Personality.understudy.line(of: command)
        func named(_ text: String) -> String { text.replacing("COMMAND", with: words) }
        var page = ManualPage(words, summary: command.summary, date: date)
        page.synopsis(command.help.usage.map(named), program: words)
        page.section("DESCRIPTION")
        page.paragraph(named(command.help.about))
        page.paragraph(named(command.help.notes))
        page.commands(command.subcommands)
        page.section("OPTIONS")
        for section in command.help.sections {
            page.subsection(section.title)
            for option in section.options { page.option(option) }
        }
        page.section("EXIT STATUS", command.help.statuses)
        let connects = command.options.contains { $0.name == CommonOptions.noPassword.name }
        page.section(
            "ENVIRONMENT",
            (connects ? ManualEntry.connection : []) + command.help.environment
                + (command.links.isEmpty ? [] : [ManualEntry.version]) + ManualEntry.colors)
        page.section("FILES", command.help.files + (connects ? ManualEntry.connectionFiles : []))
        page.examples(command.help.examples.map(named))
        let others = Command.withPages.filter { $0.name != command.name }.map(Personality.understudy.line)
        page.seeAlso(([Personality.understudy.program] + others).map(name) + command.links)
        return page
    }

    /// The page of the program.
    static func ofProgram(date: String) -> ManualPage {
        let program = Personality.understudy.program
        var page = ManualPage(program, summary: UnderstudyHelp.summary, date: date)
        page.synopsis(
            [
                "\(program) COMMAND [OPTION]...", "\(program) help [COMMAND]", "\(program) help --man [COMMAND]",
                "\(program) help --completions bash|zsh|fish", "\(program) help --list",
            ], program: program)
        page.section("DESCRIPTION")
        page.paragraph(UnderstudyHelp.about)
        page.paragraph(UnderstudyHelp.notes)
        page.commands(Command.all)
        page.item(RoffText.bold("help"), "Show the help of a command, or of the program. With an option:")
        page.section("OPTIONS")
        for option in [CommonOptions.version, CommonOptions.help] { page.option(option) }
        page.subsection("Of help")
        for option in HelpOptions.all { page.option(option) }
        page.section("EXIT STATUS")
        page.paragraph("0 for success and 1 for failure, where the page of a command tells no others.")
        page.section("ENVIRONMENT", ManualEntry.connection + [ManualEntry.version] + ManualEntry.colors)
        page.section("FILES", ManualEntry.connectionFiles)
        page.examples(UnderstudyHelp.examples)
        page.seeAlso(Command.withPages.map { name(Personality.understudy.line(of: $0)) } + Command.all.flatMap(\.links))
        return page
    }

    private mutating func commands(_ commands: [Command]) {
        guard !commands.isEmpty else { return }
        section("COMMANDS")
        for command in commands {
            let page = Self.name(Personality.understudy.line(of: command))
            item(RoffText.bold(command.word), "\(Self.sentence(command.summary)) See \(page)(1).")
        }
    }

    private static func sentence(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() + "." }
}
