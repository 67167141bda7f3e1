/// A manual page in the language of man(7).
///
/// It is made of the same rows as the help text, so that nothing is told twice.
struct ManualPage {
    private var lines: [String]

    /// - Parameters:
    ///   - words: The words that are typed to run what the page is about.
    ///   - date: `2026-11-24`, or empty for none.
    init(_ words: String, summary: String, date: String) {
        let name = Self.name(words)
        lines = [
            #".\" Made by: \#(Personality.understudy.program) help --man"#,
            ".TH \(RoffText.literal(name.uppercased())) 1 \"\(date)\" \"Understudy \(Version.understudy)\" \"User Commands\"",
            ".SH NAME",
            "\(RoffText.literal(name)) \\-",
        ]
        lines += RoffText.prose(summary)
    }

    /// What man(1) calls the page: `understudy-clone`.
    static func name(_ words: String) -> String { words.replacing(" ", with: "-") }

    var text: String { lines.joined(separator: "\n") + "\n" }

    mutating func section(_ title: String) { lines.append(".SH \(title)") }

    mutating func subsection(_ title: String) { lines.append(".SS \(title)") }

    mutating func paragraph(_ text: String) {
        beginParagraph()
        lines += RoffText.prose(text)
    }

    /// A title begins one already.
    private mutating func beginParagraph() {
        if lines.last?.hasPrefix(".SH") != true { lines.append(".PP") }
    }

    /// - Parameter program: The words at the beginning that are typed as they stand there.
    mutating func synopsis(_ usage: [String], program: String) {
        section("SYNOPSIS")
        lines.append(".nf")
        for line in usage {
            let rest = line.trimmingPrefix(program)
            let words = rest.split(separator: " ").map { RoffText.syntax($0) }
            lines.append(([RoffText.bold(program)] + words).joined(separator: " "))
        }
        lines.append(".fi")
    }

    /// - Parameter tag: In the language of the page.
    mutating func item(_ tag: String, _ text: String) {
        lines += [".TP", RoffText.line(tag)] + RoffText.prose(text)
    }

    /// Adds rows under a title; nothing where there is none.
    mutating func section(_ title: String, _ entries: [ManualEntry]) {
        guard !entries.isEmpty else { return }
        section(title)
        for entry in entries {
            let names = entry.name.split(separator: ", ").map { RoffText.bold($0) }
            item(names.joined(separator: ", "), entry.text)
        }
    }

    /// - Parameter commands: Each may take several lines, as a shell takes them.
    mutating func examples(_ commands: [String]) {
        section("EXAMPLES")
        for command in commands {
            beginParagraph()
            lines.append(".EX")
            lines += WrappedText.command(command).split(separator: "\n").map { RoffText.line(RoffText.literal($0)) }
            lines.append(".EE")
        }
    }

    /// - Parameter pages: All of section 1.
    mutating func seeAlso(_ pages: [String]) {
        section("SEE ALSO")
        lines += pages.enumerated().map { index, page in
            ".BR \(RoffText.literal(page)) (1)\(index + 1 < pages.count ? "," : "")"
        }
    }

    mutating func option(_ option: CommandOption) {
        let ownValue = option.ownValue(as: .understudy)
        var tag = option.short.map { "\(RoffText.bold("-\($0)")), " } ?? ""
        tag += RoffText.bold("--\(option.name)")
        if case .required(let word) = option.value { tag += "=\(RoffText.syntax(word))" }
        if let ownValue { tag += "[=\(RoffText.syntax(ownValue.word))]" }
        item(tag, ownValue?.help ?? option.help)
    }
}
