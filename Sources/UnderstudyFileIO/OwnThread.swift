import CUnderstudyLinux
import Glibc

/// A POSIX thread for work that blocks: a libpq session, a writer. Swift's own threads must never block.
package final class OwnThread: Sendable {
    private let finished = Monitor(false)

    /// Starts a thread that runs `body`.
    ///
    /// - Parameter name: At most 15 characters, as `top -H` and gdb show it.
    package init(_ name: StaticString, _ body: @escaping @Sendable () -> Void) {
        let finished = self.finished
        let work = unsafe Unmanaged.passRetained(
            Work {
                unsafe understudy_name_this_thread(name.cString)
                body()
                finished.update { $0 = true }
            })
        var thread = pthread_t()
        // The thread takes the one retain of `work` back.
        let status = unsafe pthread_create(
            &thread, nil,
            { context in
                let work = unsafe Unmanaged<Work>.fromOpaque(context!).takeRetainedValue()
                work.body()
                return nil
            }, work.toOpaque())
        precondition(status == 0, "could not start a thread: \(FileIOError.text(of: status))")
        pthread_detach(thread)
    }

    /// Waits until the body has returned.
    package func join() {
        _ = finished.wait { $0 ? true : nil }
    }

    private final class Work: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }

    /// Runs `body` on a new thread and suspends the task until it returns.
    ///
    /// - Parameter interrupt: Raised when the task is cancelled.
    package static func run<Value: Sendable, Failure: Error>(
        _ name: StaticString, interrupt: Interrupt, _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result: Result<Value, Failure> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                _ = OwnThread(name) {
                    continuation.resume(returning: Result { () throws(Failure) in try body() })
                }
            }
        } onCancel: {
            interrupt.raise()
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
