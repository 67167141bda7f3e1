/// A command line that was read by the stock tools' rules, its values still text.
enum StockCommandLine {
    case help, version
    case options(OptionValues, operands: [String])

    /// - Parameter program: What the user types to run the command, and to see its help.
    static func read(
        _ words: [String], of command: Command, as program: String
    ) throws(UsageError) -> StockCommandLine {
        let normalised: StockArguments.Normalised
        do throws(StockArguments.Complaint) {
            normalised = try StockArguments(command.options).normalise(words)
        } catch {
            throw UsageError(error, see: program)
        }
        // The first of the two ends the reading, as it does with the stock tools.
        return switch normalised.options.first(where: { $0 == "--help" || $0 == "--version" }) {
        case "--help": .help
        case "--version": .version
        default: .options(OptionValues(normalised.options), operands: normalised.operands)
        }
    }
}
