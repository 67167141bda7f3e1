import Understudy

/// What the command lines of `archive list` and `archive check` ask for.
struct ArchiveLook: Sendable, Equatable {
    var directory: String
    var backups: [String] = []
    var writesJSON: Bool
    var verbose: Bool

    static func read(
        _ words: [String], of command: Command, as personality: Personality
    ) throws(UsageError) -> Request<ArchiveLook> {
        try .read(words, of: command, as: personality) { parsed, operands throws(UsageError) in
            ArchiveLook(
                directory: try parsed.archive(operands, of: command, as: personality),
                backups: parsed.all(ArchiveOptions.backup), writesJSON: parsed.has(ArchiveOptions.json),
                verbose: parsed.has(ArchiveOptions.verbose))
        }
    }
}

/// What a command line of `archive prune` asks for.
struct ArchivePrunePlan: Sendable, Equatable {
    /// Its backups are directories of base backups, and names of backup history files.
    var look: ArchiveLook
    var before: String?
    var olderThan: Duration?
    /// Of files that are not read here, and go all the same.
    var suffixes: [String] = []
    var applies: Bool

    static func read(
        _ words: [String], as personality: Personality
    ) throws(UsageError) -> Request<ArchivePrunePlan> {
        let command = Command.archivePrune
        return try .read(words, of: command, as: personality) { parsed, operands throws(UsageError) in
            let look = ArchiveLook(
                directory: try parsed.archive(operands, of: command, as: personality),
                backups: parsed.all(ArchiveOptions.keptBackup) + parsed.all(ArchiveOptions.keepFrom),
                writesJSON: parsed.has(ArchiveOptions.json), verbose: parsed.has(ArchiveOptions.verbose))
            let plan = ArchivePrunePlan(
                look: look, before: parsed[ArchiveOptions.before],
                olderThan: try parsed[ArchiveOptions.olderThan].map(age),
                suffixes: try parsed.all(ArchiveOptions.suffix).map(suffix), applies: parsed.has(ArchiveOptions.apply))
            if look.backups.isEmpty, plan.before == nil {
                throw UsageError(
                    plan.olderThan == nil
                        ? "nothing says what to keep: no backup or segment specified"
                        : "--older-than needs a base backup to start from",
                    hint: "Name the backups that are kept with --backup, or a segment with --before.")
            }
            if plan.olderThan != nil, look.backups.isEmpty {
                throw UsageError(
                    "--older-than needs a base backup to start from",
                    hint: "Name the backups that are kept with --backup or --keep-from.")
            }
            return plan
        }
    }

    private static func suffix(_ text: String) throws(UsageError) -> String {
        guard text.first == ".", text.count > 1 else {
            throw UsageError(
                "invalid value \"\(text)\" for option --\(ArchiveOptions.suffix.name)",
                hint: "Give what follows a segment's name, with its dot, such as .xz.")
        }
        return text
    }

    /// Without a unit it would be seconds, which nobody means here.
    private static func age(_ text: String) throws(UsageError) -> Duration {
        guard text.last?.isNumber == false else {
            throw UsageError(
                "invalid value \"\(text)\" for option --older-than", hint: "Give a number with a unit, such as 14d.")
        }
        return try NumberArgument.duration(text, option: "--older-than")
    }
}

extension OptionValues {
    /// The directory that `-D` names; there are no operands.
    fileprivate func archive(
        _ operands: [String], of command: Command, as personality: Personality
    ) throws(UsageError) -> String {
        if let operand = operands.first { throw UsageError.operand(operand, self, of: command, as: personality) }
        guard let directory = self[ArchiveOptions.directory], !directory.isEmpty else {
            throw UsageError(
                "no directory specified", hint: UsageError.tryHelp(personality.line(of: command)))
        }
        return directory
    }
}
