/// One option of a command, written once: parser, help text, manual page and completions are made of it.
struct CommandOption: Sendable {
    enum Value: Sendable, Equatable {
        case none
        /// With the word that stands for it in the help text: `DIRECTORY`, or `fast|spread`.
        case required(String)
    }

    /// What the option takes beyond the stock tool's, but not through a link.
    struct OwnValue: Sendable, Equatable {
        /// The word that stands for an optional value in the help text: `--name[=WORD]`.
        var word: String
        /// In place of the stock tool's.
        var help: String
    }

    /// The versions of the stock tool that have the option, without dots as in `server_version_num`; nil for an option of
    /// ours.
    struct StockVersions: Sendable, Equatable {
        var first: Int
        /// The first version without it.
        var end: Int?

        static let all = StockVersions(first: 90300)

        static func since(_ first: Int) -> StockVersions { StockVersions(first: first) }
        static func before(_ end: Int) -> StockVersions { StockVersions(first: 90300, end: end) }
    }

    var name: String
    var short: Unicode.Scalar?
    var value: Value
    var ownValue: OwnValue?
    /// Other long names of the same option.
    var aliases: [String]
    var stock: StockVersions?
    /// Whether a link that takes a stock tool's place has it, too.
    var isLinked: Bool
    /// What stands beside it in the help text, however it is broken into lines.
    var help: String
    /// Whether all values count that it is given.
    var repeats: Bool
    /// Values that a shell offers, where the word that stands for the value does not list all.
    var suggestions: [String]

    init(
        _ name: String, _ short: Unicode.Scalar? = nil, _ value: String? = nil, aliases: [String] = [],
        stock: StockVersions? = nil, isLinked: Bool = true, help: String, ownValue: OwnValue? = nil,
        suggestions: [String] = [], repeats: Bool = false
    ) {
        self.repeats = repeats
        self.suggestions = suggestions
        self.name = name
        self.short = short
        self.value = value.map(Value.required) ?? .none
        self.ownValue = ownValue
        self.aliases = aliases
        self.stock = stock
        self.isLinked = isLinked
        self.help = help
    }

    /// Whether its value names something: a place, a server, a command. Who names two of these means both, or has overlooked
    /// one. Of two settings, such as a rate, the later one counts, as with all programs.
    var namesSomething: Bool {
        guard case .required(let word) = value else { return false }
        return Self.namingWords.contains(word)
    }

    private static let namingWords: Set = [
        "BACKUP", "COMMAND", "CONNSTR", "DIRECTORY", "FILE", "HOST", "HOSTNAME", "MANIFEST", "NAME", "PORT", "ROLE",
        "SEGMENT",
        "TARGET[:DETAIL]", "USER", "[ADDRESS:]PORT",
    ]

    func isKnown(to personality: Personality) -> Bool { isLinked || personality == .understudy }

    /// What getopt_long would know of it: under its own name, and under each other one.
    ///
    /// - Parameter hasStockTool: Whether the command takes a stock tool's place.
    func stockOptions(hasStockTool: Bool, as personality: Personality) -> [StockOption] {
        let argument: StockOption.Argument =
            if value != .none { .required } else if ownValue(as: personality) != nil { .optional } else { .none }
        let isOwn = hasStockTool && stock == nil
        return [StockOption(name, short, argument, isOwn: isOwn)]
            + aliases.map { StockOption($0, nil, argument, as: name, isOwn: isOwn) }
    }

    func ownValue(as personality: Personality) -> OwnValue? {
        personality == .understudy ? ownValue : nil
    }
}

extension StockArguments {
    /// The options of a command, in the order of the stock tool, in which an ambiguous name lists them. Abbreviations
    /// prefer the stock tool's only where the command takes its place.
    init(_ command: Command, as personality: Personality = .understudy) {
        let rows = command.options.filter { $0.isKnown(to: personality) }.map {
            $0.stockOptions(hasStockTool: !command.links.isEmpty, as: personality)
        }
        table = rows.map { $0[0] } + rows.flatMap { $0.dropFirst() }
    }
}
