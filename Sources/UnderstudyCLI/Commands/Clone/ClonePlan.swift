import Understudy

/// The request in a `clone` command line.
struct ClonePlan: Sendable {
    enum Request: Sendable {
        case help, version
        case clone(ClonePlan)
    }

    /// How `--progress` shows the progress of the clone.
    enum Progress: String, Sendable, CaseIterable {
        /// A line that is updated in place on a terminal, otherwise lines now and then.
        case auto
        case none, plain, json
    }

    /// A warning about the command line that does not prevent the run.
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

    /// - Parameter users: The current user, and the users that `--owner` may name.
    static func read(_ arguments: [String], users: Users) throws(UsageError) -> Request {
        let line = try StockCommandLine<CloneArguments>.read(arguments, table: CloneOptions.table, command: command)
        switch line {
        case .help: return .help
        case .version: return .version
        case .options(let parsed, let operands):
            return .clone(try CloneInterpreter(parsed: parsed, users: users).plan(operands: operands))
        }
    }
}
