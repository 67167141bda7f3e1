import CUnderstudyPQ
import Glibc
package import UnderstudyPlatform
import UnderstudyProtocol

extension Session {
    package enum CopyStep: Sendable, Equatable {
        /// A message was passed to the closure.
        case data
        /// The server ended the copy; results follow.
        case ended
        case timedOut
        /// The wake-up with this index was raised.
        case woken(Int)
    }

    /// Receives one CopyData message: PQgetCopyData.
    ///
    /// - Parameters:
    ///   - timeout: How long to wait if nothing has arrived; nil for the session's limit for silence.
    ///   - wakeUps: Interrupts that also end the wait.
    ///   - body: Called with the message, which is valid only during the call.
    package func takeCopyData<Failure: Error>(
        timeout: Duration? = nil, wakeUps: [Interrupt] = [],
        failure: (ConnectionError) -> Failure,
        _ body: (RawSpan) throws(Failure) -> Void
    ) throws(Failure) -> CopyStep {
        // If a server sends without pause, this never waits, so the interrupt is checked here.
        do throws(ConnectionError) { try checkInterrupt() } catch { throw failure(error) }
        if let index = wakeUps.firstIndex(where: { $0.isRaised }) { return .woken(index) }
        while true {
            var buffer: UnsafeMutablePointer<CChar>?
            let length = unsafe PQgetCopyData(connection, &buffer, 1)
            if length > 0, let start = unsafe buffer {
                endSilence()
                input.completed(Int(length))
                // libpq passes `length` bytes, which we own until PQfreemem.
                defer { unsafe PQfreemem(start) }
                try body(unsafe RawSpan(_unsafeStart: UnsafeRawPointer(start), byteCount: Int(length)))
                return .data
            }
            if length == -1 { return .ended }
            if length == -2 { throw failure(lost("could not read copy data")) }
            if hasFailedSending { throw failure(lost("connection to server was lost")) }
            let waited: Waited
            do throws(ConnectionError) {
                waited =
                    if let timeout { try waitForInput(timeout: timeout, wakeUps: wakeUps) } else {
                        try waitForInput(wakeUps: wakeUps)
                    }
            } catch  where error.code == .lost {
                // It may have been noticed while a status was sent.
                noteFailedSending()
                continue
            } catch { throw failure(error) }
            switch waited {
            case .input: continue
            case .timedOut: return .timedOut
            case .woken(let index): return .woken(index)
            }
        }
    }
}
