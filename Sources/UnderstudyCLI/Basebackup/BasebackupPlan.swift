import ArgumentParser
import Understudy

/// What a `basebackup` command line asks for.
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
        let normalised: StockArguments.Normalised
        do throws(StockArguments.Complaint) {
            normalised = try BasebackupOptions.table.normalise(arguments)
        } catch {
            throw UsageError(error, see: personality.baseBackupCommand)
        }
        // The first of the two ends the reading, as it does with the stock tool.
        switch normalised.options.first(where: { $0 == "--help" || $0 == "--version" }) {
        case "--help": return .help
        case "--version": return .version
        default: break
        }
        let parsed: BasebackupArguments
        do {
            parsed = try BasebackupArguments.parse(normalised.options)
        } catch {
            throw UsageError(
                BasebackupArguments.message(for: error), hint: UsageError.tryHelp(personality.baseBackupCommand))
        }
        let interpreter = BasebackupInterpreter(parsed: parsed, personality: personality)
        return .backup(try interpreter.plan(operands: normalised.operands))
    }
}
