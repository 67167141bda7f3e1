import CUnderstudyLinux
import Glibc

/// A POSIX thread for work that blocks: a libpq session, a writer. Swift's own threads must never block.
package final class OwnThread: Sendable {
    private let finished = Monitor(false)

    /// What failed, in the words of the error that a thread which cannot be had throws.
    static let attempt = "could not start thread"

    /// Starts a thread that runs `body`.
    ///
    /// - Parameter name: At most 15 characters, as `top -H` and gdb show it.
    /// - Throws: Where the user, the container or the address space has no room for one more thread.
    package init(_ name: StaticString, _ body: @escaping @Sendable () -> Void) throws(FileIOError) {
        let work = unsafe Unmanaged.passRetained(Work(name, body, finished))
        var thread = pthread_t()
        // The thread takes the one retain of `work` back.
        let status = unsafe pthread_create(
            &thread, nil,
            { context in
                guard let context = unsafe context else { return nil }
                let work = unsafe Unmanaged<Work>.fromOpaque(context).takeRetainedValue()
                work.perform()
                return nil
            }, work.toOpaque())
        guard status == 0 else {
            // There is no thread that could take it.
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
        // Sendable: made by one thread, and used by the new one alone from then on.
        private let name: StaticString
        private var body: (@Sendable () -> Void)?
        private let finished: Monitor<Bool>

        init(_ name: StaticString, _ body: @escaping @Sendable () -> Void, _ finished: Monitor<Bool>) {
            self.name = name
            self.body = body
            self.finished = finished
        }

        func perform() {
            // The name is a constant of the program that ends with a NUL.
            unsafe understudy_name_this_thread(name.cString)
            body?()
            // What the body held is let go before anybody hears that it is over.
            body = nil
            finished.update { $0 = true }
        }
    }

    /// Runs `body` on a new thread and suspends the task until it returns.
    ///
    /// - Parameters:
    ///   - interrupt: Raised when the task is cancelled, as is `also`.
    ///   - failure: What is thrown where no thread can be had.
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
    /// A static string of more than one character is stored with a NUL behind it.
    fileprivate var cString: UnsafePointer<CChar> {
        unsafe UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
