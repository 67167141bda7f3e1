import Understudy

/// What a command line of `verifybackup` asks for.
struct VerifybackupPlan: Sendable {
    var verification: BackupVerification
    var isQuiet: Bool
    var showsProgress: Bool
    var writesJSON: Bool

    static func read(
        _ words: [String], as personality: Personality
    ) throws(UsageError) -> Request<VerifybackupPlan> {
        let command = Command.verifybackup
        return try .read(words, of: command, as: personality) { parsed, operands throws(UsageError) in
            let format = try parsed[VerifybackupOptions.format].map(Self.format)
            let help = UsageError.tryHelp(personality.line(of: command))
            guard let directory = operands.first else {
                throw UsageError("no backup directory specified", hint: help)
            }
            guard operands.count == 1 else {
                throw UsageError("too many command-line arguments (first is \"\(operands[1])\")", hint: help)
            }
            var plan = VerifybackupPlan(
                verification: BackupVerification(of: directory), isQuiet: parsed.has(VerifybackupOptions.quiet),
                showsProgress: parsed.has(VerifybackupOptions.progress), writesJSON: parsed.has(ArchiveOptions.json))
            guard !plan.showsProgress || !plan.isQuiet else {
                throw UsageError("cannot specify both -P/--progress and -q/--quiet")
            }
            plan.verification.format = format
            plan.verification.manifestPath = parsed[VerifybackupOptions.manifestPath]
            plan.verification.walDirectory = parsed[VerifybackupOptions.walDirectory]
            plan.verification.ignored = parsed.all(VerifybackupOptions.ignore)
            plan.verification.stopsAtFirstFinding = parsed.has(VerifybackupOptions.exitOnError)
            plan.verification.verifiesChecksums = !parsed.has(VerifybackupOptions.skipChecksums)
            plan.verification.verifiesWAL = !parsed.has(VerifybackupOptions.noParseWAL)
            return plan
        }
    }

    private static func format(_ text: String) throws(UsageError) -> BackupVerification.Format {
        switch text {
        case "p", "plain": .plain
        case "t", "tar": .tar
        default: throw UsageError("invalid backup format \"\(text)\", must be \"plain\" or \"tar\"")
        }
    }
}
