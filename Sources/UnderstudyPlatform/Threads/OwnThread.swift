import CUnderstudyLinux
import Glibc

/// A POSIX thread for blocking work: a libpq session, a writer. Swift's own threads must never block.
package final class OwnThread: Sendable {
    /// Valid until it is joined or detached, each of which happens once.
    private let thread: pthread_t
    private let isJoined = Monitor(false)

    /// The attempt in the error that is thrown if no thread can be started.
    static let attempt = "could not start thread"

    /// Starts a thread that runs `body`. Nobody needs to join it.
    ///
    /// - Parameter name: At most 15 characters, as shown by `top -H` and gdb.
    /// - Throws: If the user, the container or the address space has no room for another thread.
    package init(_ name: StaticString, _ body: @escaping @Sendable () -> Void) throws(FileIOError) {
        let work = unsafe Unmanaged.passRetained(Work(name, body))
        var thread = pthread_t()
        // The thread consumes the one retain of `work`.
        let status = unsafe pthread_create(
            &thread, nil,
            { context in
                guard let context = unsafe context else { return nil }
                let work = unsafe Unmanaged<Work>.fromOpaque(context).takeRetainedValue()
                work.perform()
                return nil
            }, work.toOpaque())
        guard status == 0 else {
            // No thread was started that could consume the retain.
            unsafe work.release()
            throw FileIOError(Self.attempt, name.description, number: status)
        }
        self.thread = thread
    }

    deinit {
        if !isJoined.read({ $0 }) { pthread_detach(thread) }
    }

    /// Waits until the thread has ended: the body has returned, its captures are released, and what libraries keep for
    /// each thread is freed.
    ///
    /// OpenSSL keeps some, and frees that of all threads when the process exits, without a lock. Who told the caller of
    /// the library that its work is done before the thread has ended would let both happen at a time.
    package func join() {
        isJoined.update { isJoined in
            guard !isJoined else { return }
            isJoined = true
            // Fails for the thread itself only, which cannot wait for its own end.
            pthread_join(thread, nil)
        }
    }

    /// Joins the thread if that needs no waiting.
    ///
    /// - Returns: False if it has not ended yet.
    package func joinIfEnded() -> Bool {
        isJoined.change { isJoined in
            if !isJoined { isJoined = understudy_try_join(thread) == 0 }
            return isJoined
        }
    }

    private final class Work: @unchecked Sendable {
        // Sendable: created by one thread, and then used only by the new one.
        private let name: StaticString
        private let body: @Sendable () -> Void

        init(_ name: StaticString, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }

        func perform() {
            // The name is a NUL-terminated constant of the program.
            unsafe understudy_name_this_thread(name.cString)
            body()
        }
    }

    /// Runs `body` on several threads at a time, of which the caller's is one, and waits for all. Where no more threads are
    /// to be had, fewer run it.
    ///
    /// - Parameter count: How many; at least one does.
    package static func share(_ name: StaticString, among count: Int, _ body: @escaping @Sendable () -> Void) {
        var threads: [OwnThread] = []
        for _ in 1..<max(1, count) {
            guard let thread = try? OwnThread(name, body) else { break }
            threads.append(thread)
        }
        body()
        for thread in threads { thread.join() }
    }

    /// Runs `body` on a new thread and suspends the task until the thread has ended.
    ///
    /// - Parameters:
    ///   - interrupt: Raised if the task is cancelled; so is `also`.
    ///   - failure: Makes the error to throw if no thread can be started.
    package static func run<Value: Sendable, Failure: Error>(
        _ name: StaticString, interrupt: Interrupt, also: Interrupt? = nil, failure: (FileIOError) -> Failure,
        _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        var thread: OwnThread?
        let result: Result<Value, Failure> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                do throws(FileIOError) {
                    thread = try OwnThread(name) {
                        continuation.resume(returning: Result { () throws(Failure) in try body() })
                    }
                } catch {
                    continuation.resume(returning: .failure(failure(error)))
                }
            }
        } onCancel: {
            interrupt.raise()
            also?.raise()
        }
        // Does not block for long: the body has returned.
        thread?.join()
        return try result.get()
    }
}

extension StaticString {
    /// A static string of more than one character is stored with a terminating NUL.
    fileprivate var cString: UnsafePointer<CChar> {
        unsafe UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
