import CUnderstudyLinux
import Glibc

/// The standard streams of the process.
enum StandardStreams {
    /// Occupies those of the three that the caller has closed: the next file or connection that is opened would get such a
    /// number, and what is said would be written into it. Opened the other way round, each use fails as on a closed one.
    static func reserve() {
        for (descriptor, flags) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY)]
        where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
            // The lowest free number is this one: those below it are occupied.
            _ = unsafe open("/dev/null", flags)
        }
    }

    static var errorsAreTerminal: Bool { isatty(STDERR_FILENO) == 1 }
    static var outputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Whether standard error goes to the journal of systemd itself: systemd.exec(5), JOURNAL_STREAM.
    ///
    /// - Parameter stream: The variable's value, which a service passes on to what it runs, whatever that has as its streams.
    static func errorsAreJournal(_ stream: String?) -> Bool {
        var info = stat()
        // fstat fills the struct.
        guard let stream, unsafe fstat(STDERR_FILENO, &info) == 0 else { return false }
        return stream == "\(info.st_dev):\(info.st_ino)"
    }

    /// The width of the terminal on standard error; 80 if unknown.
    static var columns: Int {
        let columns = understudy_terminal_columns(STDERR_FILENO)
        return columns > 0 ? Int(columns) : 80
    }

    /// Writes all of the text, or gives up: there is nobody to report a closed stream to.
    static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            // The address and the count are those of the same bytes, which outlive the call.
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                if errno == EAGAIN, waitUntilWritable(descriptor) { continue }
                return
            }
            rest = rest.dropFirst(count)
        }
    }

    /// For a descriptor that another program has made non-blocking.
    private static func waitUntilWritable(_ descriptor: Int32) -> Bool {
        var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // One entry, which outlives the call.
        let count = unsafe Glibc.poll(&poll, 1, -1)
        return count == 1 || errno == EINTR
    }
}
