import CUnderstudyLinux
import Dispatch
import Glibc
import Understudy

/// Asks the user for a password: on the terminal, unseen, or else a line of standard input.
enum PasswordPrompt {
    /// The password, or nil where there is nobody to ask (the input has ended).
    ///
    /// Cancelling the task ends the wait; the terminal is as it was in any case.
    static func ask() async throws(BackupError) -> String? {
        let wake = understudy_eventfd(0, understudy_EFD_FLAGS)
        guard wake >= 0 else { throw BackupError(.fileSystem, "could not create an event descriptor") }
        defer { close(wake) }
        let password = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<String?, Never>) in
                // A queue of its own: the wait for a human must not block a thread that other tasks need.
                DispatchQueue(label: "understudy.password").async {
                    continuation.resume(returning: read(wake: wake))
                }
            }
        } onCancel: {
            eventfd_write(wake, 1)
        }
        if Task.isCancelled { throw BackupError(.cancelled, "no password was entered") }
        return password
    }

    private static func read(wake: Int32) -> String? {
        // A constant path.
        let terminal = unsafe open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
        guard terminal >= 0 else { return readLine(from: STDIN_FILENO, wake: wake) }
        defer { close(terminal) }
        var before = termios()
        // `before` outlives the call. A terminal that cannot hide what is typed is used all the same.
        let canHide = unsafe tcgetattr(terminal, &before) == 0
        if canHide {
            var hidden = before
            hidden.c_lflag &= ~tcflag_t(ECHO)
            _ = unsafe tcsetattr(terminal, TCSAFLUSH, &hidden)
        }
        StandardStreams.write("Password: ", to: terminal)
        let line = readLine(from: terminal, wake: wake)
        if canHide { _ = unsafe tcsetattr(terminal, TCSAFLUSH, &before) }
        StandardStreams.write("\n", to: terminal)
        return line
    }

    /// One line without its end, byte by byte, so that nothing behind it is taken; nil at the end of the input, and
    /// once `wake` is written to.
    static func readLine(from descriptor: Int32, wake: Int32) -> String? {
        var line: [UInt8] = []
        while true {
            var polls = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
            ]
            // Two entries, which outlive the call.
            let ready = unsafe poll(&polls, 2, -1)
            if ready < 0, errno == EINTR { continue }
            guard ready > 0, polls[1].revents == 0 else { return nil }
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
