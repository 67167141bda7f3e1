/// An option as getopt_long knows it.
struct StockOption: Sendable, Equatable {
    enum Argument: Sendable, Equatable {
        case none, required
        /// Optional, and only attached to the long name: `--name=VALUE`. The letter takes none, so that it can be bundled.
        case optional
    }

    var short: Unicode.Scalar?
    var name: String
    var argument: Argument
    /// The name in the rewritten command line: its own, or for an older name that of the current option.
    var canonical: String
    /// Whether the stock tool lacks it: abbreviations prefer the stock tool's options.
    var isOwn: Bool

    init(
        _ name: String, _ short: Unicode.Scalar? = nil, _ argument: Argument = .none, as canonical: String? = nil,
        isOwn: Bool = false
    ) {
        self.short = short
        self.name = name
        self.argument = argument
        self.canonical = canonical ?? name
        self.isOwn = isOwn
    }
}

/// Parses a command line by the rules of getopt_long, and rewrites it without ambiguity.
///
/// Bundles (`-vxP`), attached values (`-Xs`), abbreviated long names (`--pgd`), options after operands, `--`,
/// values that begin with a dash and empty values all come out as `--name` or `--name=value`, in the order they
/// were given. Errors have getopt's wording, for callers and users who know it.
///
/// Source: the Linux manual page getopt_long(3), but for optional arguments.
struct StockArguments: Sendable {
    /// getopt's error message, without the program's name.
    struct Refusal: Error, Equatable {
        var message: String
    }

    struct Normalised: Equatable {
        var options: [String] = []
        var operands: [String] = []
    }

    /// In the order in which the error for an ambiguous name lists them.
    var table: [StockOption]

    func normalise(_ arguments: [String]) throws(Refusal) -> Normalised {
        var result = Normalised()
        var rest = arguments[...]
        while let token = rest.popFirst() { try read(token, rest: &rest, into: &result) }
        return result
    }

    /// The options of a command line of which some words may be refused.
    func understood(_ arguments: [String]) -> OptionValues {
        var result = Normalised()
        var rest = arguments[...]
        while let token = rest.popFirst() { try? read(token, rest: &rest, into: &result) }
        return OptionValues(result.options)
    }

    private func read(
        _ token: String, rest: inout ArraySlice<String>, into result: inout Normalised
    ) throws(Refusal) {
        if token == "--" {
            result.operands += rest
            rest = []
        } else if token.hasPrefix("--") {
            result.options.append(try long(token, rest: &rest))
        } else if token.hasPrefix("-"), token != "-" {
            try bundle(token, rest: &rest, into: &result.options)
        } else {
            result.operands.append(token)
        }
    }

    private func long(_ token: String, rest: inout ArraySlice<String>) throws(Refusal) -> String {
        let body = token.dropFirst(2)
        let name = body.prefix { $0 != "=" }
        let value = name.endIndex < body.endIndex ? body[body.index(after: name.endIndex)...] : nil
        let option = try find(name, token: token)
        switch (option.argument, value) {
        case (.none, nil), (.optional, nil):
            return "--\(option.canonical)"
        case (.none, .some):
            throw Refusal(message: "option '--\(option.name)' doesn't allow an argument")
        case (_, .some(let value)):
            return "--\(option.canonical)=\(value)"
        case (.required, nil):
            guard let value = rest.popFirst() else {
                throw Refusal(message: "option '--\(option.name)' requires an argument")
            }
            return "--\(option.canonical)=\(value)"
        }
    }

    /// The option with that name, or the only one that begins with it. Names of the same option do not compete.
    private func find(_ name: Substring, token: String) throws(Refusal) -> StockOption {
        if let exact = table.first(where: { $0.name == name }) { return exact }
        let fitting = table.filter { $0.name.hasPrefix(name) }
        let stock = fitting.filter { !$0.isOwn }
        let candidates = stock.isEmpty ? fitting : stock
        guard let first = candidates.first else {
            throw Refusal(message: "unrecognized option '\(token)'")
        }
        guard candidates.allSatisfy({ $0.canonical == first.canonical && $0.argument == first.argument }) else {
            let names = candidates.map { "'--\($0.name)'" }.joined(separator: " ")
            throw Refusal(message: "option '\(token)' is ambiguous; possibilities: \(names)")
        }
        return first
    }

    /// Splits letters by scalar, not by character: a value may begin with a combining mark.
    private func bundle(
        _ token: String, rest: inout ArraySlice<String>, into options: inout [String]
    ) throws(Refusal) {
        var letters = token.unicodeScalars.dropFirst()
        while let letter = letters.popFirst() {
            guard let option = table.first(where: { $0.short == letter }) else {
                throw Refusal(message: "invalid option -- '\(letter)'")
            }
            guard option.argument == .required else {
                options.append("--\(option.canonical)")
                continue
            }
            if !letters.isEmpty {
                options.append("--\(option.canonical)=\(String(letters))")
            } else if let value = rest.popFirst() {
                options.append("--\(option.canonical)=\(value)")
            } else {
                throw Refusal(message: "option requires an argument -- '\(letter)'")
            }
            return
        }
    }
}
