import Understudy

/// The request in a `receivewal` command line.
struct ReceivewalPlan: Sendable {
    enum Request: Sendable {
        case help, version
        case run(ReceivewalPlan)
    }

    enum Action: Sendable, Equatable {
        case receive(into: Directory)
        case createSlot(String, ifNotExists: Bool)
        case dropSlot(String)
    }

    /// The directory for the WAL files.
    struct Directory: Sendable, Equatable {
        var path: String
        var compression: WALCompression
        var sync: Bool
    }

    var action: Action
    var slot: WALArchiver.Slot
    var options: WALArchiver.Options
    var connection: ConnectionRequest
    var progress: Bool
    var verbose: Bool

    static func read(_ arguments: [String], as personality: Personality) throws(UsageError) -> Request {
        let line = try StockCommandLine<ReceivewalArguments>.read(
            arguments, table: ReceivewalOptions.table, command: personality.receiveWALCommand)
        switch line {
        case .help: return .help
        case .version: return .version
        case .options(let parsed, let operands):
            let interpreter = ReceivewalInterpreter(parsed: parsed, personality: personality)
            return .run(try interpreter.plan(operands: operands))
        }
    }
}
