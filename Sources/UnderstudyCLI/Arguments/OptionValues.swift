/// The options of a command line, their values still text.
struct OptionValues: Sendable {
    /// In the order in which they were given.
    private(set) var given: [(name: String, value: String?)] = []

    /// - Parameter words: `--name` and `--name=value`, as ``StockArguments`` writes them.
    init(_ words: [String]) {
        given = words.map { word in
            let body = word.dropFirst(2)
            guard let equals = body.firstIndex(of: "=") else { return (String(body), nil) }
            return (String(body[..<equals]), String(body[body.index(after: equals)...]))
        }
    }

    func has(_ option: CommandOption) -> Bool {
        given.contains { $0.name == option.name }
    }

    /// The value of an option; the last one counts.
    subscript(_ option: CommandOption) -> String? {
        given.last { $0.name == option.name }?.value
    }

    /// All values of an option that may be repeated, in order.
    func all(_ option: CommandOption) -> [String] {
        given.filter { $0.name == option.name }.compactMap(\.value)
    }

    /// Which of the options came last; nil for none.
    func last(of options: CommandOption...) -> CommandOption? {
        let name = given.last { given in options.contains { $0.name == given.name } }?.name
        return options.first { $0.name == name }
    }
}
