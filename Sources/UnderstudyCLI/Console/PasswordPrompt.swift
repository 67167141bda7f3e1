import Glibc
import Understudy
import UnderstudyPlatform

/// Asks the user for a password: on the terminal without echo, or else on standard input.
enum PasswordPrompt {
    /// The password; nil if there is nobody to ask (end of input).
    ///
    /// Cancelling the task ends the wait; the terminal's settings are restored in any case.
    static func ask() async throws(UnderstudyError) -> String? {
        let interrupt = Interrupt()
        let password = try await OwnThread.run(
            "password", interrupt: interrupt, failure: { UnderstudyError($0) }
        ) { () throws(UnderstudyError) in read(until: interrupt) }
        if Task.isCancelled { throw UnderstudyError(.cancelled, "no password was entered") }
        return password
    }

    private static func read(until interrupt: Interrupt) -> String? {
        // A constant path.
        let terminal = unsafe open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
        guard terminal >= 0 else {
            // As the stock tools: a prompt for whoever reads standard error.
            StandardStreams.write("Password: ", to: STDERR_FILENO)
            defer { StandardStreams.write("\n", to: STDERR_FILENO) }
            return readLine(from: STDIN_FILENO, until: interrupt)
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
        StandardStreams.write("Password: ", to: terminal)
        let line = readLine(from: terminal, until: interrupt)
        if canHide { _ = unsafe tcsetattr(terminal, TCSAFLUSH, &before) }
        StandardStreams.write("\n", to: terminal)
        return line
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
