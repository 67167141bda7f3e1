import ArgumentParser

/// A command line that was read by the stock tools' rules, its values still text.
enum StockCommandLine<Options: ParsableArguments> {
    case help, version
    case options(Options, operands: [String])

    /// - Parameter command: What the user types to run this, and to see its help.
    static func read(
        _ words: [String], table: StockArguments, command: String
    ) throws(UsageError) -> StockCommandLine {
        let normalised: StockArguments.Normalised
        do throws(StockArguments.Complaint) {
            normalised = try table.normalise(words)
        } catch {
            throw UsageError(error, see: command)
        }
        // The first of the two ends the reading, as it does with the stock tools.
        switch normalised.options.first(where: { $0 == "--help" || $0 == "--version" }) {
        case "--help": return .help
        case "--version": return .version
        default: break
        }
        do {
            let words = normalised.options.flatMap(separatingEmptyValue)
            return .options(try Options.parse(words), operands: normalised.operands)
        } catch {
            throw UsageError(Options.message(for: error), hint: UsageError.tryHelp(command))
        }
    }

    /// swift-argument-parser takes `--name=` for a missing value, and an empty word behind `--name` for an empty one.
    private static func separatingEmptyValue(_ option: String) -> [String] {
        guard let equals = option.firstIndex(of: "="), option.index(after: equals) == option.endIndex else {
            return [option]
        }
        return [String(option[..<equals]), ""]
    }
}
