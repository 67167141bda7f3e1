import CUnderstudyLinux
import Glibc

/// A request to stop that wakes a thread out of poll(2): an eventfd that stays readable once raised.
package final class Interrupt: Sendable {
    private let descriptor: FileDescriptor

    package init() {
        let raw = understudy_eventfd()
        precondition(raw >= 0, "eventfd: \(FileIOError.text(of: errno))")
        descriptor = FileDescriptor(owning: raw)
    }

    /// For poll(2): readable once raised.
    package var rawDescriptor: CInt { descriptor.rawValue }

    package func raise() {
        var one: UInt64 = 1
        // eventfd reads exactly eight bytes; a full counter (EAGAIN) is raised already.
        _ = unsafe Glibc.write(descriptor.rawValue, &one, 8)
    }

    package var isRaised: Bool {
        var poll = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        return unsafe Glibc.poll(&poll, 1, 0) == 1
    }

    /// Makes it as new. Only for an interrupt that serves as a wake-up call between two threads.
    package func clear() {
        var count: UInt64 = 0
        // eventfd writes exactly eight bytes, or nothing when it is not raised.
        _ = unsafe Glibc.read(descriptor.rawValue, &count, 8)
    }

    /// Waits for a descriptor, for an interrupt, or for time to pass.
    ///
    /// - Parameters:
    ///   - events: poll(2) events wanted of `socket`.
    ///   - timeout: nil waits without a limit.
    /// - Returns: What came first.
    package static func wait(
        socket: CInt, events: Int16, interrupts: [Interrupt], timeout: Duration?
    ) -> Outcome {
        var polls = [pollfd(fd: socket, events: events, revents: 0)]
        for interrupt in interrupts {
            polls.append(pollfd(fd: interrupt.rawDescriptor, events: Int16(POLLIN), revents: 0))
        }
        let clock = ContinuousClock()
        let deadline = timeout.map { clock.now + $0 }
        var ready: CInt
        repeat {
            let left = deadline.map { max(.zero, $0 - clock.now).pollMilliseconds }
            ready = unsafe Glibc.poll(&polls, nfds_t(polls.count), left ?? -1)
        } while ready < 0 && errno == EINTR
        for (index, poll) in polls.dropFirst().enumerated() where poll.revents != 0 {
            return .interrupted(index)
        }
        return ready == 0 ? .timedOut : .ready
    }

    package enum Outcome: Equatable {
        case ready, timedOut
        /// The index of the interrupt in the list.
        case interrupted(Int)
    }
}
