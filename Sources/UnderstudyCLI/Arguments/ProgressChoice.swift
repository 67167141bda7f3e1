/// How `--progress` shows how far a run is.
enum ProgressChoice: String, Sendable, CaseIterable {
    /// A line that renews itself on a terminal, else lines now and then.
    case auto
    case none, plain, json

    static let word = allCases.map(\.rawValue).joined(separator: "|")

    static func parse(_ text: String) throws(UsageError) -> ProgressChoice {
        guard let choice = ProgressChoice(rawValue: text) else {
            throw UsageError(
                "invalid value \"\(text)\" for option --progress", hint: "Use one of auto, none, plain and json.")
        }
        return choice
    }
}

extension UsageError {
    /// Words where none are expected. One behind `--progress` may be meant as its value.
    static func operand(
        _ operand: String, _ parsed: OptionValues, of command: Command, as personality: Personality
    ) -> UsageError {
        let isValue =
            personality == .understudy && parsed.has(BasebackupOptions.progress)
            && ProgressChoice(rawValue: operand) != nil
        return UsageError(
            "too many command-line arguments (first is \"\(operand)\")",
            hint: isValue ? "Write --progress=\(operand), in one word." : tryHelp(personality.line(of: command)))
    }
}
