/// What a command line asks for: help, the version, or a run by a plan.
enum Request<Plan: Sendable>: Sendable {
    case help, version
    case run(Plan)

    /// Reads a command line by the stock tools' rules.
    ///
    /// - Parameter plan: Gives the options, whose values are still text, their meaning.
    static func read(
        _ words: [String], of command: Command, as personality: Personality,
        plan: (OptionValues, _ operands: [String]) throws(UsageError) -> Plan
    ) throws(UsageError) -> Request {
        let normalised: StockArguments.Normalised
        do throws(StockArguments.Refusal) {
            normalised = try StockArguments(command, as: personality).normalise(words)
        } catch {
            throw UsageError(error, see: personality.line(of: command))
        }
        let values = OptionValues(normalised.options)
        // The first of the two ends the reading, as it does with the stock tools.
        switch normalised.options.first(where: { $0 == "--help" || $0 == "--version" }) {
        case "--help": return .help
        case "--version": return .version
        default:
            if personality == .understudy { try values.requireSingle(command.options) }
            return .run(try plan(values, normalised.operands))
        }
    }
}

extension Program {
    /// Reads a command line, and runs what it asks for: the plan, or the help and version that are printed here. What cannot
    /// be read is an error.
    ///
    /// - Parameter words: The command line, which may ask for errors as objects.
    func run<Plan: Sendable>(
        _ command: Command, _ words: [String], as personality: Personality,
        _ request: () throws(UsageError) -> Request<Plan>, _ body: (Plan) async -> Int32
    ) async -> Int32 {
        let console = console(personality)
        do throws(UsageError) {
            switch try request() {
            case .run(let plan): return await body(plan)
            case .help: console.output(command.helpText(as: personality))
            case .version:
                guard !command.links.isEmpty else {
                    console.output(Version.text)
                    return ExitStatus.success
                }
                let version = try StockVersion.chosen(calledAs: calledAs, environment: environment)
                console.output(personality.versionText(of: command, version))
            }
            return ExitStatus.success
        } catch {
            let options = StockArguments(command, as: personality).understood(words)
            return fail(
                error,
                console: self.console(
                    personality, lines: LogLines(command.logFormat(options)),
                    writesObjects: command.writesObjects(options)))
        }
    }
}
