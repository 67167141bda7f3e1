import Understudy
import UnderstudyPlatform

/// Prints messages to standard error in PostgreSQL's form, and results to standard output. Terminal control characters
/// come only from this type; all others are escaped (``PrintedText``).
///
/// The status, a line that is updated in place, stays below the messages. For programs, all messages are also objects on
/// standard output (`--progress=json`), in one order with those of the progress.
final class Console: Sendable {
    enum Stream: Sendable, Equatable {
        case output, errors
    }

    let program: String
    private let colors: MessageColors
    /// The form of messages.
    let lines: LogLines
    /// The first word of the command line.
    private let calledAs: String?
    /// Whether informational messages are shown (`-v`).
    let verbose: Bool
    /// Whether objects are written.
    let writesObjects: Bool
    private let now: @Sendable () -> UTCTime
    private let write: @Sendable (Stream, String) -> Void
    private let state = Monitor(State())

    private struct State {
        var status: String?
        /// Whether the last object was written.
        var hasResult = false
    }

    init(
        program: String, calledAs: String? = nil, verbose: Bool, colors: MessageColors = MessageColors(),
        lines: LogLines = LogLines(), writesObjects: Bool = false,
        now: @escaping @Sendable () -> UTCTime = { UTCTime.now },
        write: @escaping @Sendable (Stream, String) -> Void
    ) {
        self.writesObjects = writesObjects
        self.now = now
        self.colors = colors
        self.lines = lines
        self.calledAs = calledAs
        self.program = program
        self.verbose = verbose
        self.write = write
    }

    // MARK: - Messages

    /// - Parameter following: A second error that the stock tool shows.
    func error(_ error: UnderstudyError, following: String? = nil) {
        let hint = error.remedy?.commandLineText
        let facts = MessageFacts(.failed, [("code", .string("\(error.code)"))])
        guard isStock, error.serverText != nil else {
            return say(
                .error, error.message, detail: error.detail, hint: hint, sqlState: error.sqlState, facts: facts,
                following: following)
        }
        // As libpq shows the fields of a server's error.
        var message = error.message
        if let detail = error.detail { message += "\nDETAIL:  \(detail)" }
        if let hint = error.hintOfServer { message += "\nHINT:  \(hint)" }
        say(
            .error, message, hint: hint?.hasPrefix(UnderstudyError.serverHint) == true ? nil : hint,
            sqlState: error.sqlState, facts: facts, following: following)
    }

    /// Whether the program stands in for a stock one: then it has its words.
    private var isStock: Bool { program != Personality.understudy.program }

    func error(_ error: UsageError) {
        let facts = MessageFacts(.failed, [("code", .string("\(UnderstudyError.Code.options)"))])
        guard error.hasStockWording else { return say(.error, error.message, hint: error.hint, facts: facts) }
        // getopt names the program as it was called.
        var text = "\(PrintedText.line(calledAs ?? program)): \(PrintedText.message(error.message))"
        if let hint = error.hint { text += line("hint", hint) }
        print(text, .message(.error, error.message, hint: error.hint, facts: facts))
    }

    /// A failure that does not end the run.
    func failure(
        _ message: String, detail: String? = nil, hint: String? = nil, sqlState: String? = nil,
        facts: MessageFacts = MessageFacts()
    ) {
        say(.error, message, detail: detail, hint: hint, sqlState: sqlState, facts: facts)
    }

    func warning(
        _ message: String, detail: String? = nil, hint: String? = nil, facts: MessageFacts = MessageFacts()
    ) {
        say(.warning, message, detail: detail, hint: hint, facts: facts)
    }

    /// Shown with and without `-v`.
    func notice(
        _ message: String, detail: String? = nil, hint: String? = nil, facts: MessageFacts = MessageFacts()
    ) {
        say(.notice, message, detail: detail, hint: hint, facts: facts)
    }

    /// An informational message of which the stock tools say nothing.
    func ownInfo(
        _ message: String, detail: String? = nil, hint: String? = nil, facts: MessageFacts = MessageFacts()
    ) {
        if !isStock { info(message, detail: detail, hint: hint, facts: facts) }
    }

    func ownNotice(
        _ message: String, detail: String? = nil, hint: String? = nil, facts: MessageFacts = MessageFacts()
    ) {
        if !isStock { notice(message, detail: detail, hint: hint, facts: facts) }
    }

    func info(_ message: String, detail: String? = nil, hint: String? = nil, facts: MessageFacts = MessageFacts()) {
        if verbose { say(.info, message, detail: detail, hint: hint, facts: facts) }
    }

    /// A message of the server, without a prefix.
    ///
    /// - Parameter object: The same with its parts by themselves.
    func server(_ text: String, _ object: JSONObject) {
        print(PrintedText.message(text), object)
    }

    // MARK: - Progress and results

    /// Shows a line that the next one replaces; nil removes it. The line must fit the terminal.
    func setStatus(_ line: String?) {
        state.change { state in
            guard line != nil || state.status != nil else { return }
            let line = line.map(PrintedText.line)
            write(.errors, Self.erase + (line ?? ""))
            state.status = line
        }
    }

    /// Prints a progress line to standard error, without the program's name; it replaces the status.
    func progressLine(_ text: String) {
        setStatus(nil)
        print(PrintedText.line(text))
    }

    func show(_ progress: ProgressWriter.Output) {
        switch progress {
        case .nothing: break
        case .status(let line): setStatus(line)
        case .line(let line): progressLine(line)
        case .object(let object): self.object(object)
        }
    }

    /// Writes an object to standard output, if they are wanted. None follows a result.
    func object(_ object: JSONObject) {
        state.change { write(object, &$0) }
    }

    private func write(_ object: JSONObject, _ state: inout State) {
        guard writesObjects, !state.hasResult else { return }
        state.hasResult = object.kind == .result
        write(.output, object.text(at: now()) + "\n")
    }

    /// Prints text in which all line ends are this program's.
    func output(_ text: String) {
        let text = PrintedText.lines(text)
        state.change { state in
            if state.status != nil { write(.errors, Self.erase) }
            write(.output, text.hasSuffix("\n") ? text : text + "\n")
            if let status = state.status { write(.errors, status) }
        }
    }

    /// Moves to the beginning of the line, and erases it.
    private static let erase = "\r\u{1B}[K"

    private func say(
        _ kind: JSONObject.Kind, _ message: String, detail: String? = nil, hint: String? = nil,
        sqlState: String? = nil, facts: MessageFacts, following: String? = nil
    ) {
        func named(_ part: MessageColors.Part) -> String { "\(prefix)\(colors.paint("\(part.rawValue): ", part))" }
        let beginning =
            switch kind {
            case .error: named(.error)
            case .warning: named(.warning)
            default: prefix
            }
        var text = "\(beginning)\(PrintedText.message(message, asLibpq: isStock))"
        if let following { text += "\n\(named(.error))\(following)" }
        if let detail { text += line("detail", detail) }
        if let hint { text += line("hint", hint) }
        print(text, .message(kind, message, detail: detail, hint: hint, sqlState: sqlState, facts: facts))
    }

    /// A further line of a message.
    private func line(_ name: String, _ text: String) -> String {
        "\n\(prefix)\(colors.paint("\(name): ", .note))\(PrintedText.message(text))"
    }

    /// What each line of a message begins with.
    private var prefix: String { colors.paint("\(program): ", .locus) }

    /// - Parameters:
    ///   - text: All foreign text in it must be escaped.
    ///   - object: The same for programs.
    private func print(_ text: String, _ object: JSONObject? = nil) {
        state.change { state in
            // A single write, so that lines of other programs on the same terminal do not come between.
            let line = lines.text(text, object, at: now())
            write(.errors, state.status.map { "\(Self.erase)\(line)\($0)" } ?? line)
            if let object { write(object, &state) }
        }
    }
}
