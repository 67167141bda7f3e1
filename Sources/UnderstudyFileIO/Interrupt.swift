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
    ///   - more: Further ones, counted on from there; none of the two lists has to be made anew for each wait.
    ///   - timeout: nil waits without a limit.
    /// - Returns: What came first.
    package static func wait(
        socket: CInt, events: Int16, interrupts: [Interrupt], _ more: [Interrupt] = [], timeout: Duration?
    ) -> Outcome {
        let count = 1 + interrupts.count + more.count
        return unsafe withUnsafeTemporaryAllocation(of: pollfd.self, capacity: count) { polls in
            // `count` elements are initialized below; pollfd is trivial and needs no end.
            unsafe polls.initializeElement(at: 0, to: pollfd(fd: socket, events: events, revents: 0))
            for index in 1..<count {
                let interrupt =
                    index <= interrupts.count ? interrupts[index - 1] : more[index - 1 - interrupts.count]
                let descriptor = interrupt.rawDescriptor
                unsafe polls.initializeElement(
                    at: index, to: pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
            }
            let ready = unsafe poll(polls, timeout)
            for index in 1..<count where unsafe polls[index].revents != 0 { return .interrupted(index - 1) }
            return ready == 0 ? .timedOut : .ready
        }
    }

    /// poll(2), gone on with after a signal.
    @unsafe private static func poll(_ polls: UnsafeMutableBufferPointer<pollfd>, _ timeout: Duration?) -> CInt {
        let clock = ContinuousClock()
        let deadline = timeout.map { $0 > .zero ? clock.now + $0 : clock.now }
        var milliseconds = timeout?.pollMilliseconds ?? -1
        while true {
            let ready = unsafe Glibc.poll(polls.baseAddress, nfds_t(polls.count), milliseconds)
            guard ready < 0 && errno == EINTR else { return ready }
            if let deadline { milliseconds = max(.zero, deadline - clock.now).pollMilliseconds }
        }
    }

    package enum Outcome: Equatable {
        case ready, timedOut
        /// The index of the interrupt in the list.
        case interrupted(Int)
    }
}
