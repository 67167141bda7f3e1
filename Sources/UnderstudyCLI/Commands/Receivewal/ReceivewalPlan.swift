import Understudy

/// What a `receivewal` command line asks for.
struct ReceivewalPlan: Sendable {
    enum Action: Sendable, Equatable {
        case receive(into: Directory)
        case createSlot(String, ifNotExists: Bool)
        case dropSlot(String)
    }

    /// Where the WAL goes.
    struct Directory: Sendable, Equatable {
        var path: String
        var compression: Compression
        var sync: Bool
    }

    var action: Action
    var slot: ReplicationSlot
    var options: WALArchiver.Options
    var connection: ConnectionRequest
    var progress: ProgressChoice
    var verbose: Bool
    var service = Service()

    /// What it does as a service, beside receiving.
    struct Service: Sendable, Equatable {
        var logFormat = LogLines.Format.text
        /// Run for each segment that is finished.
        var hook: HookCommand?
    }

    var watch = Watch()

    /// Where it is shown to others how far an archiver is.
    struct Watch: Sendable, Equatable {
        var listen: ListenAddress?
        var metricsFile: String?
    }

    static func read(_ arguments: [String], as personality: Personality) throws(UsageError) -> Request<ReceivewalPlan> {
        try .read(arguments, of: .receivewal, as: personality) { parsed, operands throws(UsageError) in
            try ReceivewalInterpreter(parsed: parsed, personality: personality).plan(operands: operands)
        }
    }
}
