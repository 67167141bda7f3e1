import Understudy

/// The command line that goes on after a failed run: the same one, with `--resume`. It holds no password.
struct ResumeCommand: Equatable {
    var text: String
    /// Whether the failed run's command line had a password, which is left out.
    var lacksPassword = false

    /// - Parameters:
    ///   - words: Of the run that failed, without the program and the command.
    ///   - moves: Tablespaces that lie elsewhere here, whether or not these words say so.
    /// - Returns: nil if the words cannot be read.
    init?(_ words: [String], of command: Command, moves: [Remedy.Step.Move] = []) {
        guard let given = try? StockArguments(command).normalise(words) else { return nil }
        let values = OptionValues(given.options)
        var parts = [Personality.understudy.program, command.name], hasSecret = false
        for (name, value) in values.given where !Self.replaced.contains(name) {
            guard let option = command.options.first(where: { $0.name == name }) else { return nil }
            var value = value
            if let text = value, option.value == .required("CONNSTR") {
                guard let shown = ConnectionString.withoutSecrets(text) else { return nil }
                hasSecret = hasSecret || shown != text
                value = shown
            } else if value?.lowercased().contains("password=") == true {
                hasSecret = true
                continue
            }
            switch (option.short, value) {
            // An optional value stands in the same word.
            case (let letter?, let value?) where option.value != .none: parts += ["-\(letter)", value]
            case (_, let value?): parts.append("--\(name)=\(value)")
            case (_, nil): parts.append("--\(name)")
            }
        }
        let known = values.all(CloneOptions.tablespaceMapping).compactMap { try? TablespaceArgument.parse($0).old }
        for move in moves where !known.contains(move.from) {
            parts += ["-T", TablespaceArgument.text(from: move.from, to: move.to)]
        }
        parts += given.operands + ["--\(ExistingOptions.resume.name)"]
        text = parts.map(ShellText.pasted).joined(separator: " ")
        lacksPassword = hasSecret
    }

    /// Options in place of which `--resume` comes.
    private static let replaced = Set(
        [ExistingOptions.delta, ExistingOptions.resume, ExistingOptions.keepPartial, CloneOptions.forceClean]
            .map(\.name))
}

extension Console {
    /// Says how to go on, if the failed run has left something to go on from.
    ///
    /// - Parameter words: Of the run that failed, without the program and the command.
    func tellHowToResume(_ error: UnderstudyError, _ command: Command, _ words: [String]) {
        let moves = error.remedy?.steps.lazy.compactMap { step -> [Remedy.Step.Move]? in
            if case .resume(let moves) = step.value { moves } else { nil }
        }.first
        guard let moves, let resume = ResumeCommand(words, of: command, moves: moves) else { return }
        let secret = resume.lacksPassword ? ", with the password, which is not shown" : ""
        notice("to go on with it\(secret): \(resume.text)")
    }
}
