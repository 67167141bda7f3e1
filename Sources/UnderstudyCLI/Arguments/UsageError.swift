/// An invalid command line.
struct UsageError: Error, Equatable {
    var message: String
    var hint: String?
    /// Whether `message` is getopt's: then it is printed without `error:`, as getopt does.
    var isComplaint = false

    init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }

    init(_ complaint: StockArguments.Complaint, see help: String) {
        self.message = complaint.message
        self.hint = Self.tryHelp(help)
        self.isComplaint = true
    }

    static func tryHelp(_ command: String) -> String {
        "Try \"\(command) --help\" for more information."
    }
}
