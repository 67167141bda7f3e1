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
    /// Whether informational messages are shown (`-v`).
    let verbose: Bool
    private let write: @Sendable (Stream, String) -> Void
    private let status = Monitor<String?>(nil)

    init(program: String, verbose: Bool, write: @escaping @Sendable (Stream, String) -> Void) {
        self.program = program
        self.verbose = verbose
        self.write = write
    }

    // MARK: - Messages

    func error(_ error: UnderstudyError) {
        say("error: \(error.message)", detail: error.detail, hint: error.remedy?.commandLineText)
    }

    func error(_ error: UsageError) {
        say(error.hasStockWording ? error.message : "error: \(error.message)", hint: error.hint)
    }

    func warning(_ message: String, detail: String? = nil, hint: String? = nil) {
        say("warning: \(message)", detail: detail, hint: hint)
    }

    /// Shown with and without `-v`.
    func notice(_ message: String, detail: String? = nil, hint: String? = nil) {
        say(message, detail: detail, hint: hint)
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

    private func say(_ message: String, detail: String? = nil, hint: String? = nil) {
        var text = "\(program): \(PrintedText.message(message))"
        if let detail { text += "\n\(program): detail: \(PrintedText.message(detail))" }
        if let hint { text += "\n\(program): hint: \(PrintedText.message(hint))" }
        print(text)
    }

    /// - Parameter text: All foreign text in it must be escaped.
    private func print(_ text: String) {
        status.change { status in
            // A single write, so that lines of other programs on the same terminal do not come between.
            let line = text.hasSuffix("\n") ? text : text + "\n"
            write(.errors, status.map { "\(Self.erase)\(line)\($0)" } ?? line)
        }
    }
}
