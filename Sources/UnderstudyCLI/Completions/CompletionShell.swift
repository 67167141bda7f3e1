/// A shell for which completions can be made.
enum CompletionShell: String, CaseIterable, Sendable {
    case bash, zsh, fish

    static let word = allCases.map(\.rawValue).joined(separator: "|")

    /// What the shell reads. It needs nothing else: no package for completions, and not the program.
    func completions(of commands: [CompletedCommand] = CompletedCommand.all) -> String {
        switch self {
        case .bash: BashCompletions(commands: commands).text
        case .zsh: ZshCompletions(commands: commands).text
        case .fish: FishCompletions(commands: commands).text
        }
    }

    /// The first line of a comment.
    var title: String {
        "Completions of understudy \(Version.understudy), made by: understudy help --completions \(rawValue)"
    }
}
