/// An invalid command line.
struct UsageError: Error, Equatable {
    var message: String
    var hint: String?
    /// Whether `message` is getopt's: then it is printed without `error:`, as getopt does.
    var hasStockWording = false

    init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }

    init(_ refusal: StockArguments.Refusal, see help: String) {
        self.message = refusal.message
        self.hint = Self.tryHelp(help)
        self.hasStockWording = true
    }

    static func tryHelp(_ command: String) -> String {
        "Try \"\(command) --help\" for more information."
    }

    /// What to do about text that is not UTF-8.
    static let useUTF8 = "Where a path has such bytes, make a symbolic link to it, and name that."
}
