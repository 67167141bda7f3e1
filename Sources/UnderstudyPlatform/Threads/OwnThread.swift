import CUnderstudyLinux
import Glibc

/// A POSIX thread for blocking work: a libpq session, a writer. Swift's own threads must never block.
package final class OwnThread: Sendable {
    private let finished = Monitor(false)

    /// The attempt in the error that is thrown if no thread can be started.
    static let attempt = "could not start thread"

    /// Starts a thread that runs `body`.
    ///
    /// - Parameter name: At most 15 characters, as shown by `top -H` and gdb.
    /// - Throws: If the user, the container or the address space has no room for another thread.
    package init(_ name: StaticString, _ body: @escaping @Sendable () -> Void) throws(FileIOError) {
        let work = unsafe Unmanaged.passRetained(Work(name, body, finished))
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
        pthread_detach(thread)
    }

    /// Waits until the body has returned.
    package func join() {
        _ = finished.wait { $0 ? true : nil }
    }

    private final class Work: @unchecked Sendable {
        // Sendable: created by one thread, and then used only by the new one.
        private let name: StaticString
        private var body: (@Sendable () -> Void)?
        private let finished: Monitor<Bool>

        init(_ name: StaticString, _ body: @escaping @Sendable () -> Void, _ finished: Monitor<Bool>) {
            self.name = name
            self.body = body
            self.finished = finished
        }

        func perform() {
            // The name is a NUL-terminated constant of the program.
            unsafe understudy_name_this_thread(name.cString)
            body?()
            // The body's captures are released before the thread is reported as finished.
            body = nil
            finished.update { $0 = true }
        }
    }

    /// Runs `body` on a new thread and suspends the task until it returns.
    ///
    /// - Parameters:
    ///   - interrupt: Raised if the task is cancelled; so is `also`.
    ///   - failure: Makes the error to throw if no thread can be started.
    package static func run<Value: Sendable, Failure: Error>(
        _ name: StaticString, interrupt: Interrupt, also: Interrupt? = nil, failure: (FileIOError) -> Failure,
        _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result: Result<Value, Failure> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                do throws(FileIOError) {
                    _ = try OwnThread(name) {
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
        return try result.get()
    }
}

extension StaticString {
    /// A static string of more than one character is stored with a terminating NUL.
    fileprivate var cString: UnsafePointer<CChar> {
        unsafe UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
