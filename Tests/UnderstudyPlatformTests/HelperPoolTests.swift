import Glibc
import Testing
import UnderstudyTestSupport

@testable import UnderstudyPlatform

@Suite("Threads that are shared")
struct HelperPoolTests {
    /// Work that a test holds up.
    private final class Gate: Sendable {
        private let state = Monitor((inside: 0, isOpen: false))

        func pass() {
            state.update { $0.inside += 1 }
            _ = state.wait { $0.isOpen ? true : nil }
        }

        func wait(for count: Int) { _ = state.wait { $0.inside >= count ? true : nil } }
        func open() { state.update { $0.isOpen = true } }
        var inside: Int { state.read { $0.inside } }
    }

    private func pool(
        perFileSystem: Int = 16, further: Int = 64, idleTime: Duration = .seconds(60), started: Locked<Int>
    ) -> HelperPool {
        HelperPool(threadsPerFileSystem: perFileSystem, furtherThreads: further, idleTime: idleTime) {
            (name, body) throws(FileIOError) in
            started.withLock { $0 += 1 }
            return try OwnThread(name, body)
        }
    }

    @Test("a queue uses one thread for all that it is given, in its order, and does it though it is gone")
    func order() throws {
        let threads = Locked(0), done = Monitor<[Int]>([])
        let pool = pool(started: threads)
        do {
            let queue = HelperQueue(pool.lane(.process))
            for number in 0..<100 { #expect(queue.perform { done.update { $0.append(number) } }) }
        }
        _ = done.wait { $0.count == 100 ? true : nil }
        #expect(done.read { $0 } == Array(0..<100))
        #expect(threads.withLock { $0 } == 1)
    }

    @Test("without a thread the work is left to its owner, and has one as soon as it can")
    func noThread() {
        let isShort = Locked(true), done = Monitor(0)
        let pool = HelperPool { (name, body) throws(FileIOError) in
            if isShort.withLock({ $0 }) { throw FileIOError(OwnThread.attempt, "helper", number: EAGAIN) }
            return try OwnThread(name, body)
        }
        let lane = pool.lane(.process), queue = HelperQueue(lane)
        #expect(throws: FileIOError.self) { try lane.ensureThread() }
        #expect(!queue.perform { done.update { $0 += 1 } })
        isShort.withLock { $0 = false }
        #expect(queue.perform { done.update { $0 += 10 } })
        _ = done.wait { $0 >= 10 ? true : nil }
        #expect(done.read { $0 } == 10)
    }

    @Test("what finds no further thread waits for those that there are")
    func shortLater() {
        let isShort = Locked(false), gate = Gate()
        let pool = HelperPool { (name, body) throws(FileIOError) in
            if isShort.withLock({ $0 }) { throw FileIOError(OwnThread.attempt, "helper", number: EAGAIN) }
            return try OwnThread(name, body)
        }
        let lane = pool.lane(.process), first = HelperQueue(lane), second = HelperQueue(lane)
        #expect(first.perform { gate.pass() })
        isShort.withLock { $0 = true }
        let done = Monitor(false)
        #expect(second.perform { done.update { $0 = true } })
        gate.open()
        _ = done.wait { $0 ? true : nil }
        #expect(lane.threadCount == 1)
    }

    @Test("the last thread of a place stays, since there may be no other later")
    func lastThread() {
        let isShort = Locked(false), done = Monitor(0)
        let pool = HelperPool(idleTime: .zero) { (name, body) throws(FileIOError) in
            if isShort.withLock({ $0 }) { throw FileIOError(OwnThread.attempt, "helper", number: EAGAIN) }
            return try OwnThread(name, body)
        }
        for lane in [pool.lane(.fileSystem(1)), pool.ownLane("own")] {
            let queue = HelperQueue(lane)
            isShort.withLock { $0 = false }
            done.update { $0 = 0 }
            for _ in 0..<1000 {
                #expect(queue.perform { done.update { $0 += 1 } })
                queue.awaitEnd()
                isShort.withLock { $0 = true }
            }
            #expect(done.read { $0 } == 1000)
        }
    }

    @Test("a place that hangs keeps its own threads, and each other place has one though all others are in use")
    func hungPlace() {
        let threads = Locked(0), gate = Gate()
        let pool = pool(perFileSystem: 3, further: 2, started: threads)
        let hung = (0..<20).map { _ in HelperQueue(pool.lane(.fileSystem(1))) }
        for queue in hung { #expect(queue.perform { gate.pass() }) }
        gate.wait(for: 3)
        #expect(threads.withLock { $0 } == 3)
        for number in 2..<6 {
            let done = Monitor(false)
            let queue = HelperQueue(pool.lane(.fileSystem(UInt64(number))))
            #expect(queue.perform { done.update { $0 = true } })
            _ = done.wait { $0 ? true : nil }
        }
        #expect(gate.inside == 3)
        gate.open()
        for queue in hung { queue.awaitEnd() }
        #expect(gate.inside == 20)
        // No more threads than the limit, and one for each other place.
        #expect(threads.withLock { $0 } == 7)
    }

    @Test("works take turns, one slice each, and no queue has two threads")
    func turns() {
        let threads = Locked(0), gate = Gate(), done = Monitor<[String]>([])
        let pool = pool(perFileSystem: 1, started: threads)
        let lane = pool.lane(.fileSystem(1))
        let first = HelperQueue(lane), queues = ["a", "b", "c"].map { ($0, HelperQueue(lane)) }
        #expect(first.perform { gate.pass() })
        for (name, queue) in queues {
            for _ in 0..<3 { #expect(queue.perform { done.update { $0.append(name) } }) }
        }
        gate.open()
        _ = done.wait { $0.count == 9 ? true : nil }
        #expect(done.read { $0.joined() } == "abcabcabc")
    }

    @Test("many queues on few threads lose nothing and keep their order")
    func many() {
        let threads = Locked(0)
        let pool = pool(perFileSystem: 4, idleTime: .zero, started: threads)
        let queues = (0..<50).map { _ in (HelperQueue(pool.lane(.process)), Monitor<[Int]>([])) }
        for number in 0..<40 {
            for (queue, done) in queues { #expect(queue.perform { done.update { $0.append(number) } }) }
        }
        for (queue, done) in queues {
            queue.awaitEnd()
            #expect(done.read { $0 } == Array(0..<40))
        }
    }

    @Test("threads end with the last member, which waits for that")
    func leave() throws {
        let threads = Locked(0)
        let lane = pool(started: threads).lane(.fileSystem(1))
        let first = LaneMember(lane), second = LaneMember(lane)
        try lane.ensureThread()
        first.leave(waits: true)
        #expect(lane.threadCount == 1)
        second.leave(waits: true)
        second.leave(waits: true)
        #expect(lane.threadCount == 0)
        // Who comes later has a thread again.
        let third = LaneMember(lane)
        try lane.ensureThread()
        #expect(lane.threadCount == 1)
        third.leave(waits: true)
        #expect(threads.withLock { $0 } == 2)
    }

    @Test("a place has one lane as long as somebody uses it")
    func lanes() {
        let pool = HelperPool()
        let lane = pool.lane(.fileSystem(1))
        #expect(pool.lane(.fileSystem(1)) === lane)
        #expect(pool.lane(.fileSystem(2)) !== lane)
        #expect(pool.ownLane("own") !== pool.ownLane("own"))
    }

    // MARK: - Timers

    @Test("timers call in the order of their times, and not what was cancelled")
    func timers() throws {
        let timers = Timers(), called = Monitor<[Int]>([]), gate = Gate()
        timers.after(.zero) { gate.pass() }
        gate.wait(for: 1)
        let now = ContinuousClock().now
        for number in [2, 3, 1] {
            timers.add(at: now + .milliseconds(number)) { called.update { $0.append(number) } }
        }
        let cancelled = timers.after(.zero) { called.update { $0.append(0) } }
        cancelled.cancel()
        gate.open()
        _ = called.wait { $0.count == 3 ? true : nil }
        #expect(called.read { $0 } == [1, 2, 3])
    }

    @Test("a timer that repeats calls until it is cancelled")
    func every() {
        let timers = Timers(), count = Monitor(0)
        let ticket = timers.every(.milliseconds(1)) { count.update { $0 += 1 } }
        _ = count.wait { $0 >= 3 ? true : nil }
        ticket.cancel()
        let done = Monitor(false)
        // The next call of the cancelled one would come before this.
        timers.after(.milliseconds(5)) { done.update { $0 = true } }
        _ = done.wait { $0 ? true : nil }
        let last = count.read { $0 }
        done.update { $0 = false }
        timers.after(.milliseconds(5)) { done.update { $0 = true } }
        _ = done.wait { $0 ? true : nil }
        #expect(count.read { $0 } == last)
    }
}
