import Understudy
import UnderstudyPlatform

/// Prints messages to standard error in PostgreSQL's form, and results to standard output. Terminal control characters
/// come only from this type; all others are escaped (``PrintedText``).
///
/// The status, a line that is updated in place, stays below the messages.
final class Console: Sendable {
    enum Stream: Sendable, Equatable {
        case output, errors
    }

    let program: String
    private let colors: MessageColors
    /// The first word of the command line.
    private let calledAs: String?
    /// Whether informational messages are shown (`-v`).
    let verbose: Bool
    private let write: @Sendable (Stream, String) -> Void
    private let status = Monitor<String?>(nil)

    init(
        program: String, calledAs: String? = nil, verbose: Bool, colors: MessageColors = MessageColors(),
        write: @escaping @Sendable (Stream, String) -> Void
    ) {
        self.colors = colors
        self.calledAs = calledAs
        self.program = program
        self.verbose = verbose
        self.write = write
    }

    // MARK: - Messages

    /// - Parameter following: A second error that the stock tool shows.
    func error(_ error: UnderstudyError, following: String? = nil) {
        let hint = error.remedy?.commandLineText
        guard isStock, error.serverText != nil else {
            return say(error.message, .error, detail: error.detail, hint: hint, following: following)
        }
        // As libpq shows the fields of a server's error.
        var message = error.message
        if let detail = error.detail { message += "\nDETAIL:  \(detail)" }
        if let hint = error.hintOfServer { message += "\nHINT:  \(hint)" }
        say(
            message, .error, hint: hint?.hasPrefix(UnderstudyError.serverHint) == true ? nil : hint,
            following: following)
    }

    /// Whether the program stands in for a stock one: then it has its words.
    private var isStock: Bool { program != Personality.understudy.program }

    func error(_ error: UsageError) {
        guard error.hasStockWording else { return say(error.message, .error, hint: error.hint) }
        // getopt names the program as it was called.
        print("\(PrintedText.line(calledAs ?? program)): \(PrintedText.message(error.message))")
        if let hint = error.hint { print("\(prefix)\(colors.paint("hint: ", .note))\(PrintedText.message(hint))") }
    }

    /// A failure that does not end the run.
    func failure(_ message: String, detail: String? = nil, hint: String? = nil) {
        say(message, .error, detail: detail, hint: hint)
    }

    func warning(_ message: String, detail: String? = nil, hint: String? = nil) {
        say(message, .warning, detail: detail, hint: hint)
    }

    /// Shown with and without `-v`.
    func notice(_ message: String, detail: String? = nil, hint: String? = nil) {
        say(message, detail: detail, hint: hint)
    }

    /// An informational message of which the stock tools say nothing.
    func ownInfo(_ message: String, detail: String? = nil, hint: String? = nil) {
        if !isStock { info(message, detail: detail, hint: hint) }
    }

    func ownNotice(_ message: String, detail: String? = nil, hint: String? = nil) {
        if !isStock { notice(message, detail: detail, hint: hint) }
    }

    func info(_ message: String, detail: String? = nil, hint: String? = nil) {
        if verbose { say(message, detail: detail, hint: hint) }
    }

    /// A message of the server, without a prefix.
    func server(_ text: String) {
        print(PrintedText.message(text))
    }

    // MARK: - Progress and results

    /// Shows a line that the next one replaces; nil removes it. The line must fit the terminal.
    func setStatus(_ line: String?) {
        status.change { status in
            guard line != nil || status != nil else { return }
            let line = line.map(PrintedText.line)
            write(.errors, Self.erase + (line ?? ""))
            status = line
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
        case .data(let line): output(line)
        }
    }

    /// Prints text in which all line ends are this program's.
    func output(_ text: String) {
        let text = PrintedText.lines(text)
        status.change { status in
            if status != nil { write(.errors, Self.erase) }
            write(.output, text.hasSuffix("\n") ? text : text + "\n")
            if let status { write(.errors, status) }
        }
    }

    /// Moves to the beginning of the line, and erases it.
    private static let erase = "\r\u{1B}[K"

    /// - Parameter kind: Named before the message; nil for information.
    private func say(
        _ message: String, _ kind: MessageColors.Part? = nil, detail: String? = nil, hint: String? = nil,
        following: String? = nil
    ) {
        func named(_ part: MessageColors.Part) -> String { "\(prefix)\(colors.paint("\(part.rawValue): ", part))" }
        func line(_ name: String, _ text: String) -> String {
            "\n\(prefix)\(colors.paint("\(name): ", .note))\(PrintedText.message(text))"
        }
        var text = "\(kind.map(named) ?? prefix)\(PrintedText.message(message, asLibpq: isStock))"
        if let following { text += "\n\(named(.error))\(following)" }
        if let detail { text += line("detail", detail) }
        if let hint { text += line("hint", hint) }
        print(text)
    }

    /// What each line of a message begins with.
    private var prefix: String { colors.paint("\(program): ", .locus) }

    /// - Parameter text: All foreign text in it must be escaped.
    private func print(_ text: String) {
        status.change { status in
            // A single write, so that lines of other programs on the same terminal do not come between.
            let line = text.hasSuffix("\n") ? text : text + "\n"
            write(.errors, status.map { "\(Self.erase)\(line)\($0)" } ?? line)
        }
    }
}
