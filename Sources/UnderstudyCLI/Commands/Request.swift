/// What a command line asks for: help, the version, or a run by a plan.
enum Request<Plan: Sendable>: Sendable {
    case help, version
    case run(Plan)

    /// - Parameter plan: Gives the options their meaning.
    static func read(
        _ words: [String], of command: Command, as personality: Personality,
        plan: (OptionValues, _ operands: [String]) throws(UsageError) -> Plan
    ) throws(UsageError) -> Request {
        switch try StockCommandLine.read(words, of: command, as: personality.line(of: command)) {
        case .help: .help
        case .version: .version
        case .options(let values, let operands): .run(try plan(values, operands))
        }
    }
}

extension Program {
    /// Reads a command line, and runs what it asks for: the plan, or the help and version that are printed here. What cannot
    /// be read is an error.
    func run<Plan: Sendable>(
        _ command: Command, as personality: Personality, _ request: () throws(UsageError) -> Request<Plan>,
        _ body: (Plan) async -> Int32
    ) async -> Int32 {
        let console = Console(program: personality.program, verbose: false, write: write)
        do throws(UsageError) {
            switch try request() {
            case .run(let plan): return await body(plan)
            case .help: console.output(command.helpText(as: personality))
            case .version:
                console.output(command.links.isEmpty ? Version.text : personality.stockVersion(of: command))
            }
            return ExitStatus.success
        } catch {
            return fail(error, console: console)
        }
    }
}
