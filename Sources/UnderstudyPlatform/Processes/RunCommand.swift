import CUnderstudyLinux
import Glibc

/// How a command ended.
package struct CommandEnd: Sendable, Equatable {
    package enum Status: Sendable, Equatable {
        case exited(CInt)
        case signalled(CInt)
    }

    package var status: Status
    /// The last bytes of its standard error.
    package var errors: [UInt8]
    /// Whether it was told to end.
    package var wasStopped: Bool

    package init(status: Status, errors: [UInt8] = [], wasStopped: Bool = false) {
        self.status = status
        self.errors = errors
        self.wasStopped = wasStopped
    }
}

/// Runs a command to its end, in a process group of its own. Its standard input is empty, its standard output is discarded, and it
/// inherits no other descriptor. What it leaves running in the background is not waited for.
///
/// - Parameters:
///   - without: Variables that it does not inherit.
///   - limit: How many of the last bytes of standard error to keep.
///   - interrupt: If raised, the group gets SIGTERM, and SIGKILL after `grace`.
package func runCommand(
    _ path: String, _ arguments: [String], without: [String] = [], keeping limit: Int, interrupt: Interrupt,
    grace: Duration
) throws(FileIOError) -> CommandEnd {
    var ends: [CInt] = [-1, -1]
    guard unsafe understudy_pipe(&ends) == 0 else { throw FileIOError("could not create a pipe for", path) }
    let source = FileDescriptor(owning: ends[0])
    let process: pid_t
    do {
        // Our copy of the write end is closed once the program has its own.
        let sink = FileDescriptor(owning: ends[1])
        process = try spawn(path, arguments, .own(without: without), errors: sink.rawValue, ownGroup: true)
    }
    let exit = understudy_pidfd_open(process)
    defer { if exit >= 0 { close(exit) } }
    var command = RunningCommand(process: process, limit: limit)
    while !command.hasEnded {
        command.wait(source.rawValue, exit: exit, interrupt)
        if interrupt.isRaised { command.stop(grace: grace) }
    }
    command.endGroup()
    command.drain(source.rawValue)
    return CommandEnd(status: command.status, errors: command.errors, wasStopped: command.hasStopped)
}

/// A child that is waited for.
private struct RunningCommand {
    let process: pid_t
    let limit: Int
    private(set) var errors: [UInt8] = []
    private(set) var status = CommandEnd.Status.exited(0)
    private(set) var hasEnded = false
    private(set) var hasStopped = false
    private var killAt: ContinuousClock.Instant?
    private var isClosed = false

    init(process: pid_t, limit: Int) {
        self.process = process
        self.limit = limit
    }

    /// Without a descriptor that tells the end (Linux before 5.3), or once a signal was sent, it is looked at again and again.
    private static let interval: CInt = 50
    /// What a pipe holds.
    private static let pipeSize = 1 << 16

    mutating func wait(_ source: CInt, exit: CInt, _ interrupt: Interrupt) {
        // A negative descriptor is passed over.
        var polls = [isClosed ? -1 : source, exit, hasStopped ? -1 : interrupt.rawDescriptor].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        let isCertain = exit >= 0 && !hasStopped && interrupt.rawDescriptor >= 0
        // poll gets the array with its count.
        _ = unsafe poll(&polls, nfds_t(polls.count), isCertain ? -1 : Self.interval)
        if polls[0].revents != 0, read(source) == 0 { isClosed = true }
        var number: CInt = 0
        // waitpid fills the number.
        let result = SystemCall.run { unsafe waitpid(process, &number, WNOHANG) }
        switch result {
        case .success(process):
            let signal = number & 0x7f
            status = signal == 0 ? .exited(number >> 8 & 0xff) : .signalled(signal)
            hasEnded = true
        case .success: break
        // Somebody else has reaped it.
        case .failure: hasEnded = true
        }
    }

    mutating func stop(grace: Duration) {
        guard let killAt else {
            hasStopped = true
            killAt = ContinuousClock.now + grace
            kill(-process, SIGTERM)
            return
        }
        if ContinuousClock.now >= killAt { kill(-process, SIGKILL) }
    }

    /// Ends what the program has started and left, once it was stopped: that may not obey SIGTERM.
    func endGroup() {
        guard let killAt else { return }
        while kill(-process, 0) == 0 {
            if ContinuousClock.now >= killAt { break }
            _ = poll(nil, 0, Self.interval)
        }
        kill(-process, SIGKILL)
    }

    /// Reads what is left in the pipe; who else has its other end may go on writing.
    mutating func drain(_ source: CInt) {
        var rest = Self.pipeSize
        while rest > 0 {
            var poll = pollfd(fd: source, events: Int16(POLLIN), revents: 0)
            // One entry, which outlives the call.
            guard unsafe Glibc.poll(&poll, 1, 0) > 0, poll.revents & Int16(POLLIN) != 0 else { return }
            let count = read(source)
            if count == 0 { return }
            rest -= count
        }
    }

    /// - Returns: The number of bytes; zero at the end.
    private mutating func read(_ source: CInt) -> Int {
        var buffer = [UInt8](repeating: 0, count: 4096)
        // At most `buffer.count` bytes are written.
        let result = unsafe buffer.withUnsafeMutableBytes { buffer in
            SystemCall.run { unsafe Glibc.read(source, buffer.baseAddress, buffer.count) }
        }
        guard case .success(let count) = result else { return 0 }
        errors = (errors + buffer.prefix(count)).suffix(limit)
        return count
    }
}
