import Understudy

/// The request in a `basebackup` command line.
struct BasebackupPlan: Sendable {
    enum Request: Sendable {
        case help, version
        case backup(BasebackupPlan)
    }

    var directory: String
    var options: BaseBackup.Options
    var connection: ConnectionRequest
    var progress: Bool
    var verbose: Bool

    static func read(_ arguments: [String], as personality: Personality) throws(UsageError) -> Request {
        let line = try StockCommandLine<BasebackupArguments>.read(
            arguments, table: BasebackupOptions.table, command: personality.baseBackupCommand)
        switch line {
        case .help: return .help
        case .version: return .version
        case .options(let parsed, let operands):
            let interpreter = BasebackupInterpreter(parsed: parsed, personality: personality)
            return .backup(try interpreter.plan(operands: operands))
        }
    }
}
