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
    var warnings: [Warning]

    /// - Parameter users: Who runs this, and whom `--owner` may name.
    static func read(_ arguments: [String], users: Users) throws(UsageError) -> Request<ClonePlan> {
        try .read(arguments, of: .clone, as: .understudy) { parsed, operands throws(UsageError) in
            try CloneInterpreter(parsed: parsed, users: users).plan(operands: operands)
        }
    }
}
