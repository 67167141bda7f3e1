/// Writes text in the language of manual pages. Source: groff_man(7), groff_char(7).
enum RoffText {
    /// The longest line of a page's source.
    private static let columns = 78

    /// What is typed or copied: each character stays what it is.
    static func literal(_ text: some StringProtocol) -> String {
        text.map { character in
            switch character {
            case "\\": "\\e"
            case "-": "\\-"
            case "'": "\\(aq"
            case "\"": "\\(dq"
            case "`": "\\(ga"
            case "^": "\\(ha"
            case "~": "\\(ti"
            default: String(character)
            }
        }.joined()
    }

    /// Sentences, in lines. A hyphen between letters stays one; what is typed or copied keeps its characters and is not broken,
    /// and options are bold.
    static func prose(_ text: some StringProtocol) -> [String] {
        fill(text.split(whereSeparator: \.isWhitespace).map { proseWord(String($0)) })
    }

    /// What stands for something in a command line: names of options and fixed words are bold, placeholders are in italics.
    static func syntax(_ text: some StringProtocol) -> String {
        if let words = ValueKind.fixedWords(text) { return words.map { bold($0) }.joined(separator: "|") }
        var rest = text[...], result = ""
        while let first = rest.first {
            if first == "-" || first.isLowercase || first.isNumber {
                let word = rest.prefix { "-_?".contains($0) || $0.isLetter || $0.isNumber }
                result += bold(word)
                rest = rest.dropFirst(word.count)
            } else if first.isUppercase {
                let word = rest.prefix { $0 == "_" || $0.isUppercase || $0.isNumber }
                result += "\\fI\(literal(word))\\fR"
                rest = rest.dropFirst(word.count)
            } else {
                result += literal(String(first))
                rest = rest.dropFirst()
            }
        }
        return result
    }

    static func bold(_ text: some StringProtocol) -> String { "\\fB\(literal(text))\\fR" }

    /// A line that is no request, whatever it begins with.
    static func line(_ text: String) -> String {
        text.hasPrefix(".") || text.hasPrefix("'") ? "\\&\(text)" : text
    }

    private static let opening: Set<Character> = ["(", "[", "\"", "'"]
    private static let closing: Set<Character> = [")", "]", "\"", "'", ".", ",", ";", ":"]

    private static func proseWord(_ word: String) -> String {
        let front = word.prefix { opening.contains($0) }
        let back = word.reversed().prefix { closing.contains($0) }.count
        guard front.count + back < word.count else { return literal(word) }
        let core = word.dropFirst(front.count).dropLast(back)
        let isOption = core.hasPrefix("-") && core.contains(where: \.isLetter)
        if isOption { return literal(front) + bold(core) + literal(word.suffix(back)) }
        let isLiteral = core.hasPrefix("-") || core.contains { "/=|[]_%$~\\".contains($0) }
        // An apostrophe and a hyphen of the language are the typesetter's.
        return isLiteral
            ? "\\%\(literal(word))" : literal(word).replacing("\\-", with: "-").replacing("\\(aq", with: "'")
    }

    private static func fill(_ words: [String]) -> [String] {
        var lines: [String] = []
        for word in words {
            if let last = lines.last, last.count + 1 + word.count <= columns {
                lines[lines.count - 1] += " \(word)"
            } else {
                lines.append(word)
            }
        }
        return lines.map(line)
    }
}
