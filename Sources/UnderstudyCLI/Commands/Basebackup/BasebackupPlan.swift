import Understudy

/// What a `basebackup` command line asks for.
struct BasebackupPlan: Sendable {
    var target: BaseBackup.Target
    var options: BaseBackup.Options
    var connection: ConnectionRequest
    var progress: Bool
    var verbose: Bool

    static func read(_ arguments: [String], as personality: Personality) throws(UsageError) -> Request<BasebackupPlan> {
        try .read(arguments, of: .basebackup, as: personality) { parsed, operands throws(UsageError) in
            try BasebackupInterpreter(parsed: parsed, personality: personality).plan(operands: operands)
        }
    }
}
