import Testing
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyTestSupport

@testable import UnderstudyWALArchive

@Suite("The thread that finishes segments")
struct SegmentFinisherTests {
    private let finisher = SegmentFinisher()

    /// Work that fails so many times.
    private func work(failures: Int, isTemporary: Bool, _ attempts: Locked<Int>) -> SegmentFinisher.Work {
        { () throws(WALDestinationError) in
            let attempt = attempts.withLock { attempts in
                attempts += 1
                return attempts
            }
            if attempt <= failures { throw WALDestinationError("attempt \(attempt)", isTemporary: isTemporary) }
        }
    }

    @Test("is waited for, and is free again then")
    func success() throws {
        try finisher.wait()
        for _ in 1...3 {
            let attempts = Locked(0)
            finisher.start(work(failures: 0, isTemporary: false, attempts))
            try finisher.wait()
            #expect(!finisher.isBusy)
            #expect(attempts.withLock { $0 } == 1)
        }
    }

    @Test("tries again what failed for want of room, once each time that it is waited for")
    func temporary() throws {
        let attempts = Locked(0)
        finisher.start(work(failures: 3, isTemporary: true, attempts))
        for attempt in 2...3 {
            let error = #expect(throws: WALDestinationError.self) { try finisher.wait() }
            #expect(error?.message == "attempt \(attempt)")
            #expect(finisher.isBusy)
        }
        try finisher.wait()
        #expect(!finisher.isBusy)
        #expect(attempts.withLock { $0 } == 4)
    }

    @Test("tells any other failure, and does not try again")
    func permanent() throws {
        let attempts = Locked(0)
        finisher.start(work(failures: 1, isTemporary: false, attempts))
        for _ in 1...2 {
            let error = #expect(throws: WALDestinationError.self) { try finisher.wait() }
            #expect(error?.message == "attempt 1")
        }
        #expect(attempts.withLock { $0 } == 1)
        finisher.forget()
        try finisher.wait()
        #expect(attempts.withLock { $0 } == 1)
    }

    @Test("does the work at once where no thread can be had, and tells its failure when it is waited for")
    func noThread() throws {
        let pool = HelperPool { (_, _) throws(FileIOError) in
            throw FileIOError("could not start thread", "helper", number: 11)
        }
        let finisher = SegmentFinisher(pool.ownLane("helper"))
        let attempts = Locked(0)
        finisher.start(work(failures: 0, isTemporary: false, attempts))
        #expect(attempts.withLock { $0 } == 1)
        #expect(!finisher.isBusy)
        finisher.start(work(failures: 2, isTemporary: false, attempts))
        finisher.forget()
        finisher.start(work(failures: 9, isTemporary: false, attempts))
        let error = #expect(throws: WALDestinationError.self) { try finisher.wait() }
        #expect(error?.message == "attempt 3")
    }

    @Test("does not wait for a thread that has not begun: who waits does the work, and it is done once")
    func busyLane() throws {
        let lane = HelperPool(threadsPerFileSystem: 1).lane(.fileSystem(1))
        let isHeld = Monitor(true), attempts = Locked(0)
        let other = HelperQueue(lane)
        #expect(other.perform { _ = isHeld.wait { $0 ? nil : true } })
        let finisher = SegmentFinisher(lane)
        finisher.start(work(failures: 0, isTemporary: false, attempts))
        #expect(finisher.isBusy && attempts.withLock { $0 } == 0)
        try finisher.wait()
        #expect(!finisher.isBusy && attempts.withLock { $0 } == 1)
        // The thread finds nothing more to do, not even after it was given the next one.
        finisher.start(work(failures: 0, isTemporary: false, attempts))
        isHeld.update { $0 = false }
        other.awaitEnd()
        try finisher.wait()
        #expect(attempts.withLock { $0 } == 2)
    }
}
