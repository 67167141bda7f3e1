import Understudy

/// What a `basebackup` command line asks for.
struct BasebackupPlan: Sendable {
    enum Progress: Sendable, Equatable {
        case none
        /// `-P`, or `--progress` without a value: the line of a terminal, or else the stock tool's lines.
        case stock
        /// `--progress=`, with a value.
        case chosen(ProgressChoice)
    }

    var target: BaseBackup.Target
    var options: BaseBackup.Options
    var connection: ConnectionRequest
    var progress: Progress
    var verbose: Bool
    var isDryRun = false

    static func read(_ arguments: [String], as personality: Personality) throws(UsageError) -> Request<BasebackupPlan> {
        try .read(arguments, of: .basebackup, as: personality) { parsed, operands throws(UsageError) in
            try BasebackupInterpreter(parsed: parsed, personality: personality).plan(operands: operands)
        }
    }
}
