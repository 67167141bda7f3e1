import Understudy
import UnderstudyPlatform

/// What commands that write recovery settings have in common.
extension OptionValues {
    /// restore_command, by `--archive` or `--restore-command`.
    ///
    /// - Parameter misuse: Makes the error of a command line that cannot be.
    func restoreCommand(misuse: (String) -> UsageError) throws(UsageError) -> String? {
        let archives = all(CloneOptions.archive), command = self[CloneOptions.restoreCommand]
        guard !archives.isEmpty else { return command }
        if command != nil { throw misuse("--archive and --restore-command are incompatible options") }
        if archives.contains("") { throw misuse("the name of an archive directory is empty") }
        // The server runs it in its data directory.
        return StandbyConfiguration.restoreCommand(
            archives: archives.map(absolutePath), program: DetachedProcess.pathOfThisProgram ?? "understudy")
    }

    /// The values of an option that takes NAME=VALUE.
    func settings(_ option: CommandOption) throws(UsageError) -> [StandbyConfiguration.Setting] {
        var settings: [StandbyConfiguration.Setting] = []
        for text in all(option) {
            guard let equals = text.firstIndex(of: "=") else {
                throw UsageError("invalid setting \"\(text)\"", hint: "Use --\(option.name) NAME=VALUE.")
            }
            settings.append(.init(String(text[..<equals]), String(text[text.index(after: equals)...])))
        }
        return settings
    }
}
