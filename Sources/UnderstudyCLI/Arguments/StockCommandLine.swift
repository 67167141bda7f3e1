import ArgumentParser

/// A command line parsed by the stock tools' rules, with its values still text.
enum StockCommandLine<Options: ParsableArguments> {
    case help, version
    case options(Options, operands: [String])

    /// - Parameter command: The command as the user types it, for the hint to its help.
    static func read(
        _ words: [String], table: StockArguments, command: String
    ) throws(UsageError) -> StockCommandLine {
        let normalised: StockArguments.Normalised
        do throws(StockArguments.Complaint) {
            normalised = try table.normalise(words)
        } catch {
            throw UsageError(error, see: command)
        }
        // The first of the two ends the parsing, as with the stock tools.
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

    /// swift-argument-parser takes `--name=` for a missing value, and an empty word after `--name` for an empty value.
    private static func separatingEmptyValue(_ option: String) -> [String] {
        guard let equals = option.firstIndex(of: "="), option.index(after: equals) == option.endIndex else {
            return [option]
        }
        return [String(option[..<equals]), ""]
    }
}
