import Understudy

/// What a `clone` command line asks for.
struct ClonePlan: Sendable {
    /// A remark about the command line that does not keep it from running.
    struct Warning: Sendable, Equatable {
        var message: String
        var hint: String
    }

    var directory: String
    var options: StandbyClone.Options
    var connection: ConnectionRequest
    var progress: ProgressChoice
    var verbose: Bool
    var isDryRun = false
    var warnings: [Warning]

    /// - Parameters:
    ///   - users: Who runs this, and whom `--owner` may name.
    ///   - environment: Gives the value of a variable.
    static func read(
        _ arguments: [String], users: Users, environment: @escaping (String) -> String? = { _ in nil }
    ) throws(UsageError) -> Request<ClonePlan> {
        try .read(arguments, of: .clone, as: .understudy) { parsed, operands throws(UsageError) in
            try CloneInterpreter(parsed: parsed, users: users, environment: environment).plan(operands: operands)
        }
    }
}
