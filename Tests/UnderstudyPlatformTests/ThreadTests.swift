import Glibc
import Testing
import UnderstudyTestSupport

@testable import UnderstudyPlatform

@Suite("Monitors, threads and interrupts")
struct ThreadTests {
    @Test("a change that is waited for ends the wait, with what the change made")
    func monitor() throws {
        let monitor = Monitor(0)
        let seen = Locked<Int?>(nil)
        let waiter = try OwnThread("waiter") {
            let value = monitor.wait { $0 >= 1000 ? $0 : nil }
            seen.withLock { $0 = value }
        }
        for _ in 0..<1000 { monitor.update { $0 += 1 } }
        waiter.join()
        #expect(seen.withLock { $0 } == 1000)
    }

    @Test("who has waited for a thread finds freed what libraries kept for it")
    func librariesEndBeforeJoin() throws {
        let kept = try KeptForThread()
        let thread = try OwnThread("user") { kept.use() }
        thread.join()
        #expect(kept.isFreed)
        // Again, and by nobody.
        thread.join()
        _ = try OwnThread("user") { kept.use() }
    }

    @Test("so does a task that ran its work on a thread")
    func librariesEndBeforeTask() async throws {
        let kept = try KeptForThread()
        try await OwnThread.run("user", interrupt: Interrupt(), failure: { $0 }) { () throws(FileIOError) in kept.use()
        }
        #expect(kept.isFreed)
    }

    @Test("changes of many threads are not lost")
    func contention() throws {
        let monitor = Monitor(0)
        let threads = try (0..<4).map { _ in
            try OwnThread("counter") {
                for _ in 0..<1000 { monitor.update { $0 += 1 } }
                for _ in 0..<1000 { monitor.change { $0 += 1 } }
            }
        }
        for thread in threads { thread.join() }
        #expect(monitor.read { $0 } == 8000)
    }

    @Test("changes that are not waited for do not lengthen a wait", .timeLimit(.minutes(1)))
    func busyTimeout() throws {
        let monitor = Monitor((count: 0, isOver: false))
        let changer = try OwnThread("changer") {
            while !monitor.read({ $0.isOver }) { monitor.update { $0.count += 1 } }
        }
        #expect(monitor.wait(timeout: .milliseconds(20)) { $0.count < 0 ? $0.count : nil } == nil)
        monitor.update { $0.isOver = true }
        changer.join()
    }

    @Test("a wait for what does not come ends with its time")
    func timeout() {
        let monitor = Monitor(0)
        #expect(monitor.wait(timeout: .zero) { $0 > 0 ? $0 : nil } == nil)
        #expect(monitor.wait(timeout: .milliseconds(1)) { $0 > 0 ? $0 : nil } == nil)
        // What holds already is not waited for.
        #expect(monitor.wait(timeout: .zero) { $0 == 0 ? "zero" : nil } == "zero")
    }

    @Test("a wait that takes something away wakes who waits for that")
    func takingWakes() throws {
        let monitor = Monitor([1])
        let waiter = try OwnThread("waiter") { monitor.wait { $0.isEmpty ? () : nil } }
        #expect(monitor.wait { $0.popLast() } == 1)
        waiter.join()
    }

    @Test("an interrupt that is raised stays so until it is cleared")
    func interrupt() {
        let interrupt = Interrupt()
        #expect(!interrupt.isRaised)
        interrupt.raise()
        interrupt.raise()
        #expect(interrupt.isRaised)
        #expect(interrupt.isRaised)
        interrupt.clear()
        #expect(!interrupt.isRaised)
        interrupt.clear()
        #expect(!interrupt.isRaised)
    }

    @Test("a wait ends with the interrupt that was raised, which comes before the socket")
    func waiting() {
        let (first, second) = (Interrupt(), Interrupt())
        // An eventfd that is raised serves as a socket with input.
        let socket = Interrupt()
        func wait(_ timeout: Duration?) -> Interrupt.Outcome {
            Interrupt.wait(
                socket: socket.rawDescriptor, events: Int16(POLLIN), interrupts: [first, second], timeout: timeout)
        }
        #expect(wait(.zero) == .timedOut)
        #expect(wait(.milliseconds(1)) == .timedOut)
        socket.raise()
        #expect(wait(nil) == .ready)
        second.raise()
        #expect(wait(nil) == .interrupted(1))
        first.raise()
        #expect(wait(nil) == .interrupted(0))
    }

    @Test("an interrupt wakes a thread that waits without a limit")
    func wakes() throws {
        let interrupt = Interrupt()
        let thread = try OwnThread("sleeper") {
            _ = Interrupt.wait(socket: -1, events: 0, interrupts: [interrupt], timeout: nil)
        }
        interrupt.raise()
        thread.join()
        #expect(interrupt.isRaised)
    }

    @Test("work on a thread of its own returns its value, or throws its error")
    func run() async throws {
        let name = try await OwnThread.run("named thread", interrupt: Interrupt(), failure: { $0 }) {
            () throws(FileIOError) in
            try ConfinedDirectory(path: "/proc/thread-self").read("comm", atMost: 32)
        }
        #expect(name == Array("named thread\n".utf8))
        let error = await #expect(throws: FileIOError.self) {
            try await OwnThread.run("thrower", interrupt: Interrupt(), failure: { $0 }) {
                () throws(FileIOError) -> Int in
                throw FileIOError("could not", "x", number: ENOENT)
            }
        }
        #expect(error?.number == ENOENT)
    }

    @Test("cancelling the task raises the interrupt, and the work is still waited for", arguments: [true, false])
    func cancellation(_ cancelsBefore: Bool) async throws {
        let interrupt = Interrupt()
        let (started, starter) = AsyncStream<Void>.makeStream()
        let task = Task {
            if cancelsBefore { unsafe withUnsafeCurrentTask { unsafe $0?.cancel() } }
            return try await OwnThread.run("cancelled", interrupt: interrupt, failure: { $0 }) {
                () throws(FileIOError) in
                starter.finish()
                return Interrupt.wait(socket: -1, events: 0, interrupts: [interrupt], timeout: nil)
            }
        }
        for await _ in started {}
        task.cancel()
        #expect(try await task.value == .interrupted(0))
    }

    @Test(
        "durations become whole nanoseconds and milliseconds, never a busy wait",
        arguments: [
            (Duration.zero, 0, 0), (.nanoseconds(1), 1, 1), (.milliseconds(1), 1_000_000, 1),
            (.microseconds(1001), 1_001_000, 2), (.seconds(-1), 0, 0), (.seconds(2), 2_000_000_000, 2000),
            (.seconds(Int64.max), Int64.max / 2, CInt.max),
        ] as [(Duration, Int64, CInt)])
    func durations(_ duration: Duration, _ nanoseconds: Int64, _ milliseconds: CInt) {
        #expect(duration.nanoseconds == nanoseconds)
        #expect(duration.pollMilliseconds == milliseconds)
    }
}

/// What a library keeps for each thread that uses it, and frees, slowly, when the thread ends.
private final class KeptForThread: Sendable {
    private let key: pthread_key_t
    private let freed = Locked(false)

    var isFreed: Bool { freed.withLock { $0 } }

    init() throws {
        var key = pthread_key_t()
        let status = unsafe pthread_key_create(&key) { value in
            guard let value = unsafe value else { return }
            for _ in 0..<1000 { sched_yield() }
            // The retain of `use()`.
            unsafe Unmanaged<Locked<Bool>>.fromOpaque(value).takeRetainedValue().withLock { $0 = true }
        }
        try #require(status == 0)
        self.key = key
    }

    func use() {
        _ = unsafe pthread_setspecific(key, Unmanaged.passRetained(freed).toOpaque())
    }
}
