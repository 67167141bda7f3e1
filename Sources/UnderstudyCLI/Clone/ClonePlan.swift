import ArgumentParser
import Understudy

/// What a `clone` command line asks for.
struct ClonePlan: Sendable {
    enum Request: Sendable {
        case help, version
        case clone(ClonePlan)
    }

    /// How `--progress` shows how far the clone is.
    enum Progress: String, Sendable, CaseIterable {
        /// A line that renews itself on a terminal, else lines now and then.
        case auto
        case none, plain, json
    }

    /// A remark about the command line that does not keep it from running.
    struct Warning: Sendable, Equatable {
        var message: String
        var hint: String
    }

    static let command = "understudy clone"

    var directory: String
    var options: StandbyClone.Options
    var connection: ConnectionRequest
    var progress: Progress
    var verbose: Bool
    var warnings: [Warning]

    /// - Parameter users: Who runs this, and whom `--owner` may name.
    static func read(_ arguments: [String], users: Users) throws(UsageError) -> Request {
        let normalised: StockArguments.Normalised
        do throws(StockArguments.Complaint) {
            normalised = try CloneOptions.table.normalise(arguments)
        } catch {
            throw UsageError(error, see: command)
        }
        switch normalised.options.first(where: { $0 == "--help" || $0 == "--version" }) {
        case "--help": return .help
        case "--version": return .version
        default: break
        }
        let parsed: CloneArguments
        do {
            parsed = try CloneArguments.parse(normalised.options)
        } catch {
            throw UsageError(CloneArguments.message(for: error), hint: UsageError.tryHelp(command))
        }
        return .clone(try CloneInterpreter(parsed: parsed, users: users).plan(operands: normalised.operands))
    }
}
