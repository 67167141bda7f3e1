import Glibc
import Understudy
import UnderstudyPlatform

/// Asks the user for a password: on the terminal without echo, or else on standard input.
enum PasswordPrompt {
    /// The password; nil if there is nobody to ask (end of input).
    ///
    /// Cancelling the task ends the wait; the terminal's settings are restored in any case.
    static func ask() async throws(UnderstudyError) -> String? {
        try await read(["Password: "]).first ?? nil
    }

    /// A password to give to a role, which is typed twice on a terminal; nil if there is nobody to ask.
    static func askNew(role: String) async throws(UnderstudyError) -> String? {
        let name = PrintedText.line(role)
        let answers = try await read(["New password for role \"\(name)\": ", "Enter it again: "])
        guard let first = answers.first ?? nil, !first.isEmpty else { return nil }
        guard answers.count < 2 || answers[1] == first else {
            throw UnderstudyError(.options, "the two passwords differ", hint: "Run this again.")
        }
        return first
    }

    /// - Returns: An answer to each prompt; on standard input, which shows none, to the first one alone.
    private static func read(_ prompts: [String]) async throws(UnderstudyError) -> [String?] {
        let interrupt = Interrupt()
        let answers = try await OwnThread.run(
            "password", interrupt: interrupt, failure: { UnderstudyError($0) }
        ) { () throws(UnderstudyError) in read(prompts, until: interrupt) }
        if Task.isCancelled { throw UnderstudyError(.cancelled, "no password was entered") }
        return answers
    }

    private static func read(_ prompts: [String], until interrupt: Interrupt) -> [String?] {
        // A constant path.
        let terminal = unsafe open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
        guard terminal >= 0 else {
            // As the stock tools: a prompt for whoever reads standard error.
            StandardStreams.write(prompts[0], to: STDERR_FILENO)
            defer { StandardStreams.write("\n", to: STDERR_FILENO) }
            return [readLine(from: STDIN_FILENO, until: interrupt)]
        }
        defer { close(terminal) }
        var before = termios()
        // `before` outlives the call. A terminal whose echo cannot be turned off is used all the same.
        let canHide = unsafe tcgetattr(terminal, &before) == 0
        if canHide {
            var hidden = before
            hidden.c_lflag &= ~tcflag_t(ECHO)
            _ = unsafe tcsetattr(terminal, TCSAFLUSH, &hidden)
        }
        let answers = prompts.map { prompt in
            StandardStreams.write(prompt, to: terminal)
            defer { StandardStreams.write("\n", to: terminal) }
            return readLine(from: terminal, until: interrupt)
        }
        if canHide { _ = unsafe tcsetattr(terminal, TCSAFLUSH, &before) }
        return answers
    }

    /// Reads one line without its end, byte by byte, so that nothing after it is consumed; nil at the end of the input,
    /// and once the interrupt is raised.
    static func readLine(from descriptor: Int32, until interrupt: Interrupt) -> String? {
        var line: [UInt8] = []
        while true {
            let outcome = Interrupt.wait(
                socket: descriptor, events: Int16(POLLIN), interrupts: [interrupt], timeout: nil)
            if outcome == .timedOut { continue }
            guard outcome == .ready else { return nil }
            var byte: UInt8 = 0
            // One byte into a variable of one byte.
            let count = unsafe Glibc.read(descriptor, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1 else { return line.isEmpty ? nil : String(decoding: line, as: UTF8.self) }
            if byte == UInt8(ascii: "\n") {
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                return String(decoding: line, as: UTF8.self)
            }
            line.append(byte)
        }
    }
}
