import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

@testable import UnderstudyPlatform

@Suite("Where threads, descriptors or memory run out")
struct ShortageTests {
    private static let isSanitized = ProcessInfo.processInfo.environment["UNDERSTUDY_SANITIZER"] != nil

    @Test(
        "a thread that cannot be had is an error that says what to raise",
        .disabled(if: isSanitized, "a sanitizer needs more address space itself"))
    func noThread() async {
        // In a process of its own, which has no room for another stack.
        await #expect(processExitsWith: .success) {
            var limit = rlimit(rlim_cur: 1 << 20, rlim_max: rlim_t.max)
            try #require(unsafe setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0)
            let error = #expect(throws: FileIOError.self) { _ = try OwnThread("wal writer") {} }
            #expect(error?.description.hasPrefix("could not start thread \"wal writer\": ") == true)
            #expect(error?.isShortage == true)
            #expect(error?.remedy?.contains("ulimit -u") == true)
        }
    }

    @Test(
        "a block that there is no memory for is an error, and a pool goes on with those that it has",
        .disabled(if: isSanitized, "a sanitizer ends a process that asks for too much"))
    func noMemory() throws {
        let error = #expect(throws: FileIOError.self) { _ = try Block(capacity: 1 << 50) }
        #expect(error?.number == ENOMEM)
        let pool = BlockPool(blocks: 1, blockSize: 1 << 50)
        #expect(throws: FileIOError.self) { try pool.take(timeout: nil) }
    }

    // MARK: - Interrupts without a descriptor

    private let interrupt = Interrupt(descriptor: -1)

    @Test("an interrupt works without a descriptor")
    func flag() {
        #expect(!interrupt.isRaised)
        #expect(Interrupt.wait(socket: -1, events: 0, interrupts: [interrupt], timeout: .zero) == .timedOut)
        interrupt.raise()
        interrupt.raise()
        #expect(interrupt.isRaised)
        for timeout in [Duration.zero, .seconds(60), nil] {
            #expect(Interrupt.wait(socket: -1, events: 0, interrupts: [interrupt], timeout: timeout) == .interrupted(0))
        }
        interrupt.clear()
        #expect(!interrupt.isRaised)
        #expect(Interrupt.wait(socket: -1, events: 0, interrupts: [interrupt], timeout: .milliseconds(1)) == .timedOut)
    }

    @Test("an interrupt that is raised before it is opened is raised then, too")
    func opened() {
        let interrupt = Interrupt.closed()
        #expect(interrupt.rawDescriptor == -1)
        interrupt.raise()
        interrupt.open()
        #expect(interrupt.rawDescriptor >= 0)
        #expect(Interrupt.wait(socket: -1, events: 0, interrupts: [interrupt], timeout: .zero) == .interrupted(0))
    }

    @Test("one without a descriptor wakes who waits without a limit, and so does one with it beside it")
    func wakes() throws {
        let other = Interrupt(), socket = Interrupt()
        for (index, raised) in [interrupt, other].enumerated() {
            let thread = try OwnThread("sleeper") { [interrupt] in
                let outcome = Interrupt.wait(
                    socket: socket.rawDescriptor, events: Int16(POLLIN), interrupts: [interrupt], [other], timeout: nil)
                #expect(outcome == .interrupted(index))
            }
            raised.raise()
            thread.join()
            raised.clear()
        }
        socket.raise()
        let outcome = Interrupt.wait(
            socket: socket.rawDescriptor, events: Int16(POLLIN), interrupts: [interrupt], [other], timeout: nil)
        #expect(outcome == .ready)
    }
}
