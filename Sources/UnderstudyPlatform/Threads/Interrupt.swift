import CUnderstudyLinux
import Glibc
import Synchronization

/// A request to stop that wakes a thread from poll(2): an eventfd that stays readable once raised.
///
/// If the process cannot open more descriptors, a flag takes its place, and waiting threads check it repeatedly. So a
/// stop request always works.
package final class Interrupt: Sendable {
    /// See ``rawDescriptor``.
    private let descriptor: Atomic<CInt>
    /// Whether it is raised, for threads that do not wait. Replaces the descriptor if there is none.
    private let flag = Atomic(false)
    /// How often a waiting thread checks the flag.
    private static let pollInterval = Duration.milliseconds(20)

    package convenience init() {
        self.init(descriptor: understudy_eventfd())
    }

    /// One without a descriptor until ``open()``: for what may exist long before anybody waits.
    package static func closed() -> Interrupt { Interrupt(descriptor: -1) }

    /// Opens the descriptor, if there is one to be had. No thread may wait for this interrupt meanwhile.
    package func open() {
        guard !hasDescriptor else { return }
        let opened = understudy_eventfd()
        guard opened >= 0 else { return }
        descriptor.store(opened, ordering: .sequentiallyConsistent)
        // Whoever has raised it before has found no descriptor.
        if isRaised { raise() }
    }

    /// - Parameter descriptor: An eventfd, which this object now owns; negative for none.
    init(descriptor: CInt) {
        self.descriptor = Atomic(max(-1, descriptor))
    }

    deinit {
        if hasDescriptor { close(rawDescriptor) }
    }

    /// For poll(2): readable once raised; -1 if there is no descriptor.
    package var rawDescriptor: CInt { descriptor.load(ordering: .sequentiallyConsistent) }

    private var hasDescriptor: Bool { rawDescriptor >= 0 }

    package func raise() {
        flag.store(true, ordering: .sequentiallyConsistent)
        guard hasDescriptor else { return }
        var one: UInt64 = 1
        // eventfd reads exactly eight bytes. If its counter is full (EAGAIN), it is already raised.
        _ = unsafe Glibc.write(rawDescriptor, &one, 8)
    }

    /// Whether it is raised. Cheap enough to check before each message.
    package var isRaised: Bool { flag.load(ordering: .sequentiallyConsistent) }

    /// Clears the interrupt. Only for an interrupt that serves as a wake-up between two threads.
    package func clear() {
        // A raise during this call may be cleared too, so the caller must check the announced state only afterwards.
        flag.store(false, ordering: .sequentiallyConsistent)
        guard hasDescriptor else { return }
        var count: UInt64 = 0
        // eventfd writes exactly eight bytes, or nothing if it is not raised.
        _ = unsafe Glibc.read(rawDescriptor, &count, 8)
    }

    /// Waits for a descriptor, an interrupt or the timeout.
    ///
    /// - Parameters:
    ///   - events: The poll(2) events to wait for on `socket`.
    ///   - more: Further interrupts, whose indices continue after the first list's. With two lists, no array has to be
    ///     built for each wait.
    ///   - timeout: nil for no limit.
    /// - Returns: The first event.
    package static func wait(
        socket: CInt, events: Int16, interrupts: [Interrupt], _ more: [Interrupt] = [], timeout: Duration?
    ) -> Outcome {
        let count = 1 + interrupts.count + more.count
        return unsafe withUnsafeTemporaryAllocation(of: pollfd.self, capacity: count) { polls in
            // `count` elements are initialized below; pollfd is trivial and needs no deinitialization.
            unsafe polls.initializeElement(at: 0, to: pollfd(fd: socket, events: events, revents: 0))
            var hasFlags = false
            for index in 1..<count {
                let interrupt =
                    index <= interrupts.count ? interrupts[index - 1] : more[index - 1 - interrupts.count]
                // poll ignores a negative descriptor.
                hasFlags = hasFlags || !interrupt.hasDescriptor
                unsafe polls.initializeElement(
                    at: index, to: pollfd(fd: interrupt.rawDescriptor, events: Int16(POLLIN), revents: 0))
            }
            let ready =
                hasFlags
                ? unsafe pollAndLook(polls, interrupts + more, timeout) : unsafe poll(polls, timeout)
            for index in 1..<count where unsafe polls[index].revents != 0 { return .interrupted(index - 1) }
            return ready == 0 ? .timedOut : .ready
        }
    }

    /// poll(2) in short intervals. A raised interrupt without a descriptor counts as readable.
    @unsafe private static func pollAndLook(
        _ polls: UnsafeMutableBufferPointer<pollfd>, _ interrupts: [Interrupt], _ timeout: Duration?
    ) -> CInt {
        let clock = ContinuousClock()
        let deadline = timeout.map { clock.now + $0 }
        while true {
            let left = deadline.map { max(.zero, $0 - clock.now) }
            let isAnyRaised = interrupts.contains { !$0.hasDescriptor && $0.isRaised }
            let ready = unsafe poll(polls, isAnyRaised ? .zero : min(left ?? pollInterval, pollInterval))
            var raised: CInt = 0
            for (index, interrupt) in interrupts.enumerated() where !interrupt.hasDescriptor && interrupt.isRaised {
                unsafe polls[index + 1].revents = Int16(POLLIN)
                raised += 1
            }
            if ready != 0 || raised > 0 || left == .zero { return ready + raised }
        }
    }

    /// poll(2), resumed after a signal.
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
