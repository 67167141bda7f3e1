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

    /// Refuses two values of an option that names one thing: the stock tools take the last one without a word, and so do the
    /// links that stand for them.
    func requireSingle(_ options: [CommandOption]) throws(UsageError) {
        for option in options where option.namesSomething && !option.repeats {
            var values: [String] = []
            for value in all(option) where !values.contains(value) { values.append(value) }
            guard values.count > 1 else { continue }
            throw UsageError(
                "option --\(option.name) was given more than once: \"\(values[0])\" and \"\(values[1])\"",
                hint: "Give it once, or run the command once for each.")
        }
    }

    /// Which of the options came last; nil for none.
    func last(of options: CommandOption...) -> CommandOption? {
        let name = given.last { given in options.contains { $0.name == given.name } }?.name
        return options.first { $0.name == name }
    }
}
